"""How long a login to the admin lives. The session itself carries both times, so no browser has a say in it.

In a practice it has a row among its user's logins as well, by which they see and revoke it like one of the API.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils import timezone

from accounts.devices import device_name
from accounts.models import Membership, RefreshSession, User
from accounts.sessions import Origin
from config.api.client import client_address
from practices.middleware import SESSION_PRACTICE
from practices.tenancy import Actor, practice_scope

BEGAN, SEEN, ENDED = "began_at", "seen_at", "ended_because"
DEVICE, ADDRESS = "device", "address"
"""In the session: whence it was begun, for a list of logins that no practice has a row of."""
LOGIN = "login_id"
"""In the session: the row of the login in the practice that is chosen."""
PROVEN = "second_factor"
"""In the session of who has shown one."""
REVOKED = "this login was ended from elsewhere"
WRITTEN_EVERY_SECONDS = 30
"""Being seen again is written no more often, so that not every click writes a row; somebody may go so much earlier."""


def begin(request: HttpRequest) -> None:
    session, origin = request.session, origin_of(request)
    session[BEGAN] = session[SEEN] = _now()
    session[DEVICE], session[ADDRESS] = device_name(origin.user_agent), origin.ip


def end_if_over(request: HttpRequest) -> None:
    """Logs out whose time is up; notes of everybody else that they are still there."""
    session, now = request.session, _now()
    if reason := _why_over(session, now) or _why_revoked(request):
        end(request, reason)
    elif now - session[SEEN] >= WRITTEN_EVERY_SECONDS:
        session[SEEN] = now


def is_over(content: Mapping[str, Any]) -> bool:
    """For the content of any session of the admin."""
    return bool(_why_over(content, _now()))


def seen_at(content: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(_time(content.get(SEEN)), UTC)


def end(request: HttpRequest, reason: str) -> None:
    logout(request)
    request.session[ENDED] = reason


def explain_end(request: HttpRequest) -> None:
    """On the page to log in, once."""
    if reason := request.session.pop(ENDED, None):
        messages.info(request, f"You were logged out: {reason}.")


# --- The row of the practice -------------------------------------------------------------------------


def enter(request: HttpRequest, membership: Membership, user: User) -> None:
    """The login works in this practice from now on, and is one of the user's logins there."""
    leave(request)
    origin, now = origin_of(request), timezone.now()
    actor = Actor.user(user.pk, tuple(membership.roles), str(user))
    with practice_scope(membership.practice, actor=actor, request_id=origin.request_id, ip=origin.ip):
        row = RefreshSession.objects.create(
            kind=RefreshSession.Kind.ADMIN,
            user=user,
            token_version=user.token_version,
            second_factor=bool(request.session.get(PROVEN)),
            rotated_at=now,
            expires_at=_expires_at(request.session, now),
            user_agent=origin.user_agent[:300],
            device=device_name(origin.user_agent),
            ip=origin.ip,
        )
    request.session[SESSION_PRACTICE], request.session[LOGIN] = str(membership.practice_id), str(row.pk)


def leave(request: HttpRequest) -> None:
    """No practice is chosen any more; the row there has ended."""
    session = request.session
    login, practice_id = session.pop(LOGIN, None), session.pop(SESSION_PRACTICE, None)
    if login and practice_id and isinstance(request.user, User):
        with practice_scope(UUID(practice_id), actor=Actor.user(request.user.pk)):
            RefreshSession.objects.filter(pk=login, revoked_at=None).update(revoked_at=timezone.now())


def is_revoked(request: HttpRequest) -> bool:
    login, practice_id = request.session.get(LOGIN), request.session.get(SESSION_PRACTICE)
    if not (login and practice_id and isinstance(request.user, User)):
        return False
    with practice_scope(UUID(practice_id), actor=Actor.user(request.user.pk)):
        return not RefreshSession.objects.filter(pk=login, revoked_at=None).exists()


def goes_on(request: HttpRequest, user: User, membership: Membership | None = None) -> None:
    """This login, when all of the user's have just ended. `user` has the new password or token version, `membership` is
    in the practice that is chosen; the request knows it but on the pages without a scope.
    """
    update_session_auth_hash(request, user)
    membership = membership or getattr(request, "membership", None)
    if membership is not None:
        enter(request, membership, user)


def note_seen(request: HttpRequest, seen_at: datetime) -> None:
    """What the list of logins shows. By the row's own time: a refused request takes its note back."""
    now = timezone.now()
    if now - seen_at < timedelta(seconds=WRITTEN_EVERY_SECONDS):
        return
    RefreshSession.objects.filter(pk=request.session[LOGIN]).update(
        rotated_at=now, ip=origin_of(request).ip, expires_at=_expires_at(request.session, now)
    )


def origin_of(request: HttpRequest) -> Origin:
    return Origin(
        getattr(request, "request_id", ""), client_address(request) or None, request.headers.get("User-Agent", "")
    )


def _expires_at(session: SessionBase, now: datetime) -> datetime:
    began = datetime.fromtimestamp(_time(session.get(BEGAN)), UTC)
    return min(now + settings.ADMIN_IDLE_TIME, began + settings.ADMIN_SESSION_LIFETIME)


def _why_revoked(request: HttpRequest) -> str:
    """Asked here on the pages without a scope only, such as the choice of a practice; elsewhere with the membership."""
    return REVOKED if request.path_info in settings.UNSCOPED_PATHS and is_revoked(request) else ""


def _why_over(session: SessionBase | Mapping[str, Any], now: int) -> str:
    """Empty for one that goes on. One without the times is none that `begin` was called for."""
    began, seen = (_time(session.get(name)) for name in (BEGAN, SEEN))
    if now - began >= settings.ADMIN_SESSION_LIFETIME.total_seconds():
        return "it is long since you logged in"
    return "nothing happened for a while" if now - seen >= settings.ADMIN_IDLE_TIME.total_seconds() else ""


def _time(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _now() -> int:
    return int(time.time())
