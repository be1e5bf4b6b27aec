"""How long a login to the admin lives. The session itself carries both times, so no browser has a say in it."""

import time
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

BEGAN, SEEN, ENDED = "began_at", "seen_at", "ended_because"
WRITTEN_EVERY_SECONDS = 30
"""Being seen again is written no more often, so that not every click writes a row; somebody may go so much earlier."""


def begin(session: SessionBase) -> None:
    session[BEGAN] = session[SEEN] = _now()


def end_if_over(request: HttpRequest) -> None:
    """Logs out whose time is up; notes of everybody else that they are still there."""
    session, now = request.session, _now()
    if reason := _why_over(session, now):
        logout(request)
        request.session[ENDED] = reason
    elif now - session[SEEN] >= WRITTEN_EVERY_SECONDS:
        session[SEEN] = now


def explain_end(request: HttpRequest) -> None:
    """On the page to log in, once."""
    if reason := request.session.pop(ENDED, None):
        messages.info(request, f"You were logged out: {reason}.")


def _why_over(session: SessionBase, now: int) -> str:
    """Empty for one that goes on. One without the times is none that `begin` was called for."""
    began, seen = (_time(session.get(name)) for name in (BEGAN, SEEN))
    if now - began >= settings.ADMIN_SESSION_LIFETIME.total_seconds():
        return "it is long since you logged in"
    return "nothing happened for a while" if now - seen >= settings.ADMIN_IDLE_TIME.total_seconds() else ""


def _time(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _now() -> int:
    return int(time.time())
