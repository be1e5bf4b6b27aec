from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from accounts.identity import roles_of_member
from practices.middleware import SESSION_PRACTICE
from practices.tenancy import Actor, Scope, current_scope


class AdminMembershipMiddleware:
    """Gives the admin's scope the roles of its user in the chosen practice, asked on every request.

    Who is no longer a member there loses the choice and starts over at the admin's first page.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        scope = current_scope()
        if scope is None or scope.practice_id is None or not request.path_info.startswith(settings.ADMIN_PATH):
            return self.get_response(request)
        if not request.user.is_authenticated or not _enter(request, scope):
            request.session.pop(SESSION_PRACTICE, None)
            return HttpResponseRedirect(settings.ADMIN_PATH)
        return self.get_response(request)


def _enter(request: HttpRequest, scope: Scope) -> bool:
    user_id = request.user.pk
    if scope.practice_id is None or user_id is None or scope.actor.id != user_id:
        return False
    roles = roles_of_member(practice_id=scope.practice_id, user_id=user_id)
    scope.actor = Actor.user(user_id, roles)
    structlog.contextvars.bind_contextvars(user_id=str(user_id), practice_id=str(scope.practice_id))
    return bool(roles)
