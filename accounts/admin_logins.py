"""The page of one's own logins in the admin: of all practices, and those to the admin in which none is chosen. They
end one by one, or all but the present one. It runs outside any scope, since it ends logins in several practices.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts import admin_session, signals
from accounts.admin_session import ADDRESS, DEVICE, LOGIN, PROVEN, origin_of
from accounts.models import RefreshSession, User
from accounts.sessions import log_out_everywhere, practices_open_to, revoke_sessions
from practices.middleware import SESSION_PRACTICE
from practices.models import Practice
from practices.tenancy import Actor, Scope, identity_scope, own_rows, practice_scope

if TYPE_CHECKING:
    from accounts.admin_site import PracticeAdminSite

OTHERS = "others"


@dataclass(frozen=True, slots=True)
class OwnLogin:
    """`key` names it in the page's buttons. Without a practice none is chosen: it may be on the platform."""

    key: str
    practice: Practice | None
    kind: str
    device: str
    ip: str | None
    used_at: datetime
    current: bool


def logins_page(request: HttpRequest, site: "PracticeAdminSite") -> HttpResponseBase:
    user = request.user
    if not isinstance(user, User):
        return redirect("admin:login")
    if user.is_superuser and not request.session.get(PROVEN):
        return redirect("admin:second_factor")
    if request.method == "POST":
        messages.success(request, _end(request, user, request.POST.get("login", "")))
        return redirect("admin:logins")
    logins = sorted(_logins(request, user), key=lambda each: (not each.current, -each.used_at.timestamp()))
    context = {**site.each_context(request), "title": "Your logins", "logins": logins}
    return TemplateResponse(request, "admin/logins.html", context)


# --- Which there are --------------------------------------------------------------------------------


def _logins(request: HttpRequest, user: User) -> Iterator[OwnLogin]:
    with identity_scope(user.pk, request_id=origin_of(request).request_id):
        living = own_rows(RefreshSession).filter(user=user, token_version=user.token_version, revoked_at=None)
        rows = list(living.filter(expires_at__gt=timezone.now()).select_related("practice"))
    for row in rows:
        current = str(row.pk) == request.session.get(LOGIN)
        yield OwnLogin(str(row.pk), row.practice, row.kind, row.device, row.ip, row.rotated_at, current)
    for session in _without_practice(user):
        current = session.session_key == request.session.session_key
        content = session.get_decoded()
        device, ip, used_at = content.get(DEVICE, ""), content.get(ADDRESS), admin_session.seen_at(content)
        yield OwnLogin(_digest(session), None, RefreshSession.Kind.ADMIN, device, ip, used_at, current)


def _without_practice(user: User) -> Iterator[Session]:
    """Reads all sessions of the admin, a day's at most: Django's name their user only inside."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()):
        content = session.get_decoded()
        if SESSION_PRACTICE not in content and _is_good(content, user):
            yield session


def _is_good(content: Mapping[str, Any], user: User) -> bool:
    if content.get(SESSION_KEY) != str(user.pk) or admin_session.is_over(content):
        return False
    return constant_time_compare(content[HASH_SESSION_KEY], user.get_session_auth_hash())


def _digest(session: Session) -> str:
    """The key itself is as good as the login."""
    return hashlib.sha256(session.session_key.encode()).hexdigest()


# --- Ending them ------------------------------------------------------------------------------------


def _end(request: HttpRequest, user: User, chosen: str) -> str:
    """What to tell the user, to whom it is all the same if the login has ended by itself meanwhile."""
    if chosen == OTHERS:
        _end_others(request, user)
        return "All your other logins have ended."
    for login in _logins(request, user):
        if login.key == chosen and not login.current:
            _end_one(request, user, login)
    return "The login has ended."


def _end_one(request: HttpRequest, user: User, login: OwnLogin) -> None:
    with _scope(request, user, login.practice):
        if login.practice is not None:
            revoke_sessions(user_id=user.pk, only=UUID(login.key))
            return
        for session in _without_practice(user):
            if _digest(session) == login.key:
                session.delete()
        signals.logged_out.send(RefreshSession, user_id=user.pk, sessions=[], everywhere=False)


def _end_others(request: HttpRequest, user: User) -> None:
    chosen = request.session.get(SESSION_PRACTICE)
    open_to = practices_open_to(user, origin_of(request))
    membership = next((each for each in open_to if str(each.practice_id) == chosen), None)
    with _scope(request, user, membership.practice if membership else None):
        log_out_everywhere(by=user)
    admin_session.goes_on(request, user, membership)


def _scope(request: HttpRequest, user: User, practice: Practice | None) -> AbstractContextManager[Scope]:
    origin = origin_of(request)
    if practice is None:
        return identity_scope(user.pk, request_id=origin.request_id, ip=origin.ip)
    actor = Actor.user(user.pk, label=str(user))
    return practice_scope(practice, actor=actor, request_id=origin.request_id, ip=origin.ip)
