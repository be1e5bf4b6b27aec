"""Sending one queued message: claim it, call the vendor, record the answer. No vendor call inside a transaction."""

from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from appointments.transitions import Status
from integrations.email import Email, SentEmail, get_email_sender
from integrations.errors import PermanentVendorError, VendorError
from integrations.messages.text import fill, local_start, one_line
from integrations.models import Message, MessageChannel, MessageKind, MessageTemplate
from integrations.queue import may_still_act
from integrations.sms import SentSms, Sms, get_sms_sender
from practices.models import Practice
from practices.tenancy import Actor, practice_scope

if TYPE_CHECKING:
    from django.db.models import QuerySet

logger = structlog.get_logger(__name__)
WORKER = Actor.system("worker")
# A confirmation of a visit that was cancelled meanwhile would mislead; so would the reverse.
FITTING_STATUS = {
    MessageKind.CONFIRMATION: Status.BOOKED,
    MessageKind.CANCELLATION: Status.CANCELLED,
    MessageKind.REMINDER: Status.BOOKED,
    MessageKind.OFFER: Status.PENDING,
}


def deliver(*, practice_id: UUID, message_id: UUID, last_attempt: bool, queued_by: str | None = None) -> None:
    """Raises RetryableVendorError when the vendor can't take it now, unless this was the last attempt.

    A message that is gone, as its patient was erased, is not sent, or was the last.
    """
    with practice_scope(practice_id, actor=WORKER):
        outgoing = _claim(message_id, queued_by)
    if outgoing is None:
        return
    try:
        sent = _hand_over(outgoing)
    except VendorError as error:
        final = last_attempt or isinstance(error, PermanentVendorError)
        with practice_scope(practice_id, actor=WORKER):
            for message in _locked(message_id):
                message.mark_refused(f"{error.vendor}:{error.code}", final=final)
        logger.warning("message_refused", message_id=str(message_id), vendor=error.vendor, code=error.code, final=final)
        if not final:
            raise
        return
    with practice_scope(practice_id, actor=WORKER):
        for message in _locked(message_id):
            message.mark_sent(vendor=sent.vendor, vendor_id=sent.vendor_id)
    logger.info("message_sent", message_id=str(message_id), vendor=sent.vendor, vendor_id=sent.vendor_id)


def _claim(message_id: UUID, queued_by: str | None) -> Email | Sms | None:
    """What to send, with the message marked as being sent; None when it ended, or has lost its occasion."""
    message = _locked(message_id).first()
    if message is None or message.ended:
        return None
    if not may_still_act(practice_id=message.practice_id, user_id=queued_by):
        message.mark_refused("member_suspended", final=True)
        return None
    template = MessageTemplate.objects.filter(kind=message.kind, channel=message.channel, active=True).first()
    if template is None:
        message.mark_refused("no_template", final=True)
        return None
    if message.appointment is None or message.appointment.status != FITTING_STATUS[MessageKind(message.kind)]:
        message.mark_refused("superseded", final=True)
        return None
    if message.patient.deceased_at is not None:
        message.mark_refused("patient_deceased", final=True)
        return None
    message.start_sending()
    return _compose(message, template)


def _locked(message_id: UUID) -> "QuerySet[Message]":
    """The message, or none when it is gone."""
    rows: QuerySet[Message] = Message.objects.select_for_update().filter(pk=message_id)
    return rows


def _compose(message: Message, template: MessageTemplate) -> Email | Sms:
    practice = message.practice
    body = fill(template.body, values := _values(message, practice))
    if message.channel == MessageChannel.SMS:
        return Sms(to=message.to, body=body, reference=str(message.pk))
    subject = one_line(fill(template.subject, values))
    return Email(to=message.to, subject=subject, text=body, reference=str(message.pk), from_name=practice.name)


def _values(message: Message, practice: Practice) -> dict[str, str]:
    """Every placeholder's value; the list in `text` says which there may be."""
    appointment = message.appointment
    return {
        "practice_name": practice.name,
        "location_name": appointment.location.name,
        "location_phone": appointment.location.phone,
        "patient_given_name": message.patient.given_name,
        **local_start(appointment.start, time_zone=appointment.time_zone, locale=practice.locale),
    }


def _hand_over(outgoing: Email | Sms) -> SentEmail | SentSms:
    if isinstance(outgoing, Sms):
        return get_sms_sender().send(outgoing)
    return get_email_sender().send(outgoing)
