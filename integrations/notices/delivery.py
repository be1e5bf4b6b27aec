"""Sending one notice. What it says is read now, not carried through the queue; no vendor call inside a transaction."""

from uuid import UUID

import structlog
from django.conf import settings
from django.urls import reverse

from accounts.models import RefreshSession, User
from accounts.password_reset import make_link
from integrations.email import Email, get_email_sender
from integrations.errors import PermanentVendorError, VendorError
from integrations.notices.text import TEXTS, Notice
from practices.models import Practice
from practices.tenancy import Actor, practice_scope

logger = structlog.get_logger(__name__)
WORKER = Actor.system("worker")
SOMEWHERE = "an unknown address"
SOMETHING = "an unknown device"


def deliver(
    *, notice: str, user_id: UUID, practice_id: UUID | None, session_id: UUID | None, last_attempt: bool
) -> None:
    """Raises RetryableVendorError when the vendor can't take it now, unless this was the last attempt."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        return
    values = {"name": str(user)}
    if notice == Notice.PASSWORD_RESET:
        values["link"] = make_link(user_id=user.pk) or ""
    if practice_id is not None:
        values |= _about_session(practice_id, session_id) if session_id else _about_grants(practice_id)
    subject, body = TEXTS[notice]
    email = Email(to=user.email, subject=subject, text=body.format_map(values), reference=f"{notice}:{user.pk}")
    try:
        sent = get_email_sender().send(email)
    except VendorError as error:
        final = last_attempt or isinstance(error, PermanentVendorError)
        logger.warning("notice_refused", notice=notice, vendor=error.vendor, code=error.code, final=final)
        if not final:
            raise
        return
    logger.info("notice_sent", notice=notice, vendor=sent.vendor, vendor_id=sent.vendor_id)


def _about_session(practice_id: UUID, session_id: UUID) -> dict[str, str]:
    with practice_scope(practice_id, actor=WORKER):
        session = RefreshSession.objects.select_related("practice").get(pk=session_id)
    return {
        "practice": session.practice.name,
        "device": session.device or SOMETHING,
        "ip": session.ip or SOMEWHERE,
    }


def _about_grants(practice_id: UUID) -> dict[str, str]:
    with practice_scope(practice_id, actor=WORKER):
        name = Practice.objects.values_list("name", flat=True).get(pk=practice_id)
    link = settings.PUBLIC_URL.rstrip("/") + reverse("admin:patients_accessgrant_changelist")
    return {"practice": name, "link": link}
