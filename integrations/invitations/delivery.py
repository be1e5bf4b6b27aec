"""Sending one invitation. The link's token is made now; no vendor call inside a transaction."""

from uuid import UUID

import structlog
from django.conf import settings
from django.utils import timezone

from accounts.invitations import new_token
from accounts.models import Invitation
from accounts.roles import Role
from integrations.email import Email, get_email_sender
from integrations.errors import PermanentVendorError, VendorError
from practices.tenancy import Actor, practice_scope

logger = structlog.get_logger(__name__)
WORKER = Actor.system("worker")
SUBJECT = "{practice} invites you"
BODY = (
    "Hello,\n\n{practice} invites you to work there as: {roles}.\n\n"
    "Open this link to accept, before {until} (UTC):\n{link}\n\n"
    "It works once, and for this address only. If you don't know {practice}, ignore this mail.\n"
)


def deliver(*, practice_id: UUID, invitation_id: UUID, last_attempt: bool) -> None:
    """Raises RetryableVendorError when the vendor can't take it now, unless this was the last attempt.

    Another attempt makes another token: of two mails that both arrive the later one's link is good.
    """
    with practice_scope(practice_id, actor=WORKER):
        made = new_token(invitation_id)
        email = made and _compose(*made)
    if email is None:
        return
    try:
        sent = get_email_sender().send(email)
    except VendorError as error:
        final = last_attempt or isinstance(error, PermanentVendorError)
        logger.warning("invitation_refused", invitation_id=str(invitation_id), vendor=error.vendor, code=error.code)
        if not final:
            raise
        return
    with practice_scope(practice_id, actor=WORKER):
        Invitation.objects.filter(pk=invitation_id).update(sent_at=timezone.now())
    logger.info("invitation_sent", invitation_id=str(invitation_id), vendor=sent.vendor, vendor_id=sent.vendor_id)


def _compose(invitation: Invitation, token: str) -> Email:
    practice = invitation.practice.name
    values = {
        "practice": practice,
        "roles": ", ".join(str(Role(role).label) for role in invitation.roles),
        "until": f"{invitation.expires_at:%Y-%m-%d %H:%M}",
        "link": f"{settings.INVITATION_URL}#{token}",
    }
    return Email(
        to=invitation.email,
        subject=SUBJECT.format_map(values),
        text=BODY.format_map(values),
        reference=f"invitation:{invitation.pk}",
        from_name=practice,
    )
