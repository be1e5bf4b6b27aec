"""One transaction around the whole request, in the scope of the practice that its token or admin session names."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from config.api.client import client_address
from config.api.problem import Conflict, is_api_path, problem_response
from config.api.signing import AccessToken, TokenError, decoded
from config.postgres.base import Statement
from practices import signals
from practices.bound_secrets import is_key, key_parts
from practices.tenancy import ANONYMOUS, Actor, Scope, current_scope, identity_scope, platform_scope, practice_scope

SESSION_PRACTICE = "practice_id"
REFUSALS = frozenset({401, 403, 404, 409, 412, 429})


class TenantMiddleware:
    """Commits below status 400, rolls back from there on. Whether the user may still come in is checked by
    authentication inside the scope; here only the signature of who names the practice is.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        opening = self._opening(request)
        if opening is None:
            return self._announce(request, self.get_response(request), None)
        scope = None
        try:
            with opening as scope:
                response = self._respond(request)
        except IntegrityError:
            # A deferred key at COMMIT: something the request relied on was removed meanwhile. All is rolled back.
            response = self._conflict(request)
        return self._announce(request, response, scope)

    def _opening(self, request: HttpRequest) -> AbstractContextManager[Scope] | None:
        """The scope to open, or None for a request that names nobody we can verify."""
        if request.path_info in settings.UNSCOPED_PATHS:
            return None
        origin: dict[str, Any] = {
            "request_id": getattr(request, "request_id", ""),
            "ip": client_address(request) or None,
        }
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and is_api_path(request) and is_key(token):
            parts = key_parts(token)
            return practice_scope(parts.practice_id, actor=ANONYMOUS, **origin) if parts else None
        if scheme.lower() == "bearer" and is_api_path(request):
            claims = _verified(request, token)
            return claims and practice_scope(claims[0], actor=Actor.user(claims[1]), ask=claims[2], **origin)
        if not request.path_info.startswith(settings.ADMIN_PATH) or not request.user.is_authenticated:
            return None
        user_id = request.user.pk
        if practice_id := request.session.get(SESSION_PRACTICE):
            return practice_scope(UUID(practice_id), actor=Actor.user(user_id), **origin)
        if request.user.is_superuser:
            return platform_scope(actor=Actor.user(user_id), **origin)
        return identity_scope(user_id, **origin)

    def _respond(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if scope := current_scope():
            scope.operation = operation_of(request)
        if isinstance(response, StreamingHttpResponse):
            response.streaming_content = [b"".join(response)]  # its queries belong inside the transaction
        if status_of(response) >= 400:
            transaction.set_rollback(True)
        return response

    def _conflict(self, request: HttpRequest) -> HttpResponseBase:
        return problem_response(request, Conflict("Something this relied on was changed meanwhile."))

    def _announce(self, request: HttpRequest, response: HttpResponseBase, scope: Scope | None) -> HttpResponseBase:
        status = status_of(response)
        # Of those who go on when they are over their limit the first refusal counts: the rest would fill the log.
        if status in REFUSALS and scope is not None and not getattr(response, "refused_again", False):
            signals.request_refused.send(type(self), request=request, status=status, scope=scope)
        return response


def status_of(response: HttpResponseBase) -> int:
    """What the answer means: the admin may send people back to a page with the reason of a refusal."""
    return getattr(response, "refused_as", response.status_code)


def operation_of(request: HttpRequest) -> str:
    """`PATCH patient-detail`: what was asked for, without the ids; only the method of a path that is no route."""
    match = request.resolver_match
    return f"{request.method} {match.view_name}" if match else request.method or ""


def _verified(request: HttpRequest, token: str) -> tuple[UUID, UUID, Statement | None] | None:
    """(practice, user, how to ask for their session) of a token we signed that is still fresh; else None.

    The request then carries the token's claims.
    """
    try:
        claims = decoded(AccessToken, token)
        request.token_payload = claims  # type: ignore[attr-defined]  # verifying once is enough
        return UUID(claims["practice"]), UUID(claims["sub"]), _identity_question()(claims)
    except (TokenError, KeyError, ValueError, TypeError, AttributeError):
        return None


@cache
def _identity_question() -> Callable[[dict[str, Any]], Statement | None]:
    """Asked along with opening the scope. Named in the settings, since `accounts` is above this app."""
    question: Callable[[dict[str, Any]], Statement | None] = import_string(settings.IDENTITY_QUESTION)
    return question
