"""One-use tickets that open a WebSocket."""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from integrations.events.access import roles_of_sessions
from integrations.models import WebSocketTicket
from practices.tenancy import ANONYMOUS, active_practice_id, practice_scope

LIFETIME = timedelta(seconds=30)
SECRET_BYTES = 24
LENGTH = 54
"""Characters of a ticket: the practice's id and the secret, in URL-safe base64."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Whom a ticket let in."""

    practice_id: UUID
    user_id: UUID
    session_id: UUID
    roles: tuple[str, ...]


def issue(*, user_id: UUID, session_id: UUID) -> str:
    """A ticket for this login in the active practice; clears away those that nobody used in time."""
    WebSocketTicket.objects.filter(expires_at__lt=Now()).delete()
    content = active_practice_id().bytes + secrets.token_bytes(SECRET_BYTES)
    ticket = base64.urlsafe_b64encode(content).decode().rstrip("=")
    WebSocketTicket.objects.create(
        digest=_digest(ticket), user_id=user_id, session_id=session_id, expires_at=timezone.now() + LIFETIME
    )
    return ticket


def redeem(ticket: str) -> Admission | None:
    """Uses the ticket up. None for one that is unknown, used, too old, or of a login that has ended."""
    practice_id = _practice_of(ticket)
    if practice_id is None:
        return None
    with practice_scope(practice_id, actor=ANONYMOUS):
        used = _take(_digest(ticket))
        if used is None:
            return None
        user_id, session_id = used
        roles = roles_of_sessions([session_id]).get(session_id)
    return Admission(practice_id, user_id, session_id, roles) if roles else None


def _take(digest: str) -> tuple[UUID, UUID] | None:
    """(user, session) of the ticket. Deleting and reading is one statement: of two who come at once one finds it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {WebSocketTicket._meta.db_table} WHERE practice_id = %s AND digest = %s"  # noqa: S608  # our table
            " AND expires_at > clock_timestamp() RETURNING user_id, session_id",
            [active_practice_id(), digest],
        )
        row: tuple[UUID, UUID] | None = cursor.fetchone()
        return row


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()


def _practice_of(ticket: str) -> UUID | None:
    """The practice that a well-formed ticket names; it opens only that practice's own tickets."""
    if len(ticket) != LENGTH or not ticket.isascii():
        return None
    try:
        return UUID(bytes=base64.urlsafe_b64decode(ticket + "==")[:16])
    except (ValueError, binascii.Error):
        return None
