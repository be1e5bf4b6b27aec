from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils import timezone

from accounts.admin_second_factor import OPEN_WITHOUT, PAGE, must_enrol
from accounts.admin_session import LOGIN, REVOKED, end, end_if_over, is_revoked, note_seen
from accounts.identity import living_membership
from accounts.models import User
from practices.middleware import SESSION_PRACTICE
from practices.tenancy import Actor, Scope, current_scope


class AdminSessionMiddleware:
    """Before any scope is opened: a login to the admin that is over names nobody."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(settings.ADMIN_PATH) and request.user.is_authenticated:
            end_if_over(request)
        return self.get_response(request)


class AdminMessageMiddleware(MessageMiddleware):
    """Notices for the admin's pages; nothing else shows any."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        in_admin = request.path_info.startswith(settings.ADMIN_PATH)
        answer: Callable[[HttpRequest], Any] = super().__call__ if in_admin else self.get_response
        response: HttpResponseBase = answer(request)
        return response


class AdminMembershipMiddleware:
    """Gives the admin's scope the roles of its user in the chosen practice, asked on every request; and the request
    its `membership`. Pages are made in the practice's time.

    Who must set up a second factor is led there from every page; who is no longer a member there loses the choice, and
    whose login was revoked the login, and starts over at the admin's first page.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        scope = current_scope()
        if scope is None or not request.path_info.startswith(settings.ADMIN_PATH):
            return self.get_response(request)
        zone = self._enter(request, scope)
        if zone is None:
            request.session.pop(SESSION_PRACTICE, None)
            return HttpResponseRedirect(settings.ADMIN_PATH)
        if self._must_enrol(request):
            return HttpResponseRedirect(PAGE)
        with timezone.override(ZoneInfo(zone)):
            return self.get_response(request)

    def _must_enrol(self, request: HttpRequest) -> bool:
        user, membership = request.user, getattr(request, "membership", None)
        return isinstance(user, User) and must_enrol(request, user, membership) and request.path not in OPEN_WITHOUT

    def _enter(self, request: HttpRequest, scope: Scope) -> str | None:
        """The time zone to work in; None for who may not be in the scope's practice."""
        user = request.user
        if not isinstance(user, User) or scope.actor.id != user.pk:
            return None
        structlog.contextvars.bind_contextvars(user_id=str(user.pk), practice_id=str(scope.practice_id or ""))
        if scope.practice_id is None:
            scope.actor = Actor.user(user.pk, label=str(user))
            return settings.TIME_ZONE
        login = request.session.get(LOGIN)
        membership = living_membership(practice_id=scope.practice_id, user_id=user.pk, login=login)
        if membership is None:
            if is_revoked(request):  # suspended, say: being reactivated must not bring it back
                end(request, REVOKED)
            return None
        if membership.login_seen_at is None:  # type: ignore[attr-defined]  # annotated
            end(request, REVOKED)
            return None
        note_seen(request, membership.login_seen_at)  # type: ignore[attr-defined]
        scope.actor = Actor.user(user.pk, tuple(membership.roles), str(user))
        request.membership = membership  # type: ignore[attr-defined]  # read by the admin's site
        return str(membership.practice.time_zone)
