"""From a booked or cancelled visit to a message in the queue."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from procrastinate.types import JSONDict

from appointments.models import Appointment
from integrations.models import Message, MessageChannel, MessageKind
from integrations.queue import enqueue, queued_by
from integrations.tasks import send_message
from patients.models import ContactPoint
from practices.functions import ask
from practices.inserts import insert


@transaction.atomic(savepoint=False)
def queue_messages(*, kind: MessageKind, appointment: Appointment, channel: str | None = None) -> list[Message]:
    """A message, and the job that sends it, for each channel the practice uses and the patient can be reached on, or
    for the one that is named.

    In the caller's transaction: without the booking there is no message and no job. Nothing for a visit in the past,
    and nothing to the deceased.
    """
    if appointment.start is None or appointment.start <= timezone.now() or appointment.patient.deceased_at is not None:
        return []
    addresses = _addresses(appointment.patient_id, kind, channel)
    messages = [
        Message(kind=kind, channel=used, to=to, patient_id=appointment.patient_id, appointment_id=appointment.pk)
        for used, to in addresses.items()
    ]
    if messages:
        insert(messages)
        by = queued_by()
        jobs: list[JSONDict] = [
            {"practice_id": str(row.practice_id), "message_id": str(row.pk), "queued_by": by} for row in messages
        ]
        enqueue(send_message, *jobs)
    return messages


def _addresses(patient_id: UUID, kind: MessageKind, channel: str | None) -> dict[str, str]:
    """channel -> the patient's primary email address, or telephone, a mobile first. One statement.

    Of the channels on which the practice sends this kind of message.
    """
    column: Any = ContactPoint._meta.get_field("value")
    found: dict[str, str] = {}
    for used, contact_id, sealed in ask("integrations_reached(%s, %s, %s, %s)", patient_id, str(kind), channel):
        if used not in found:
            address = column.from_json(sealed, str(contact_id))
            if used != MessageChannel.SMS or ";" not in address:  # no texts to an extension
                found[used] = address
    return found
