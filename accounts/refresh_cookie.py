"""The refresh token in a cookie that no script can read, for browsers that ask for it at login."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import RefreshSession
from accounts.serializers.auth import TokenResponse
from accounts.sessions import Login
from accounts.tokens import RefreshClaims, TokenError, read_refresh_token, refresh_token
from config.api.origin import refuse_foreign_origin
from config.api.problem import FieldError, ValidationProblem

NAME = "refresh_token"


def given_token(request: HttpRequest, in_body: str | None) -> tuple[str, bool]:
    """The refresh token of a request, and whether it came as a cookie; the body's goes first.

    Raises Forbidden for a cookie from a page that isn't ours, ValidationProblem when there is none at all.
    """
    if in_body is not None:
        return in_body, False
    cookie = request.COOKIES.get(NAME, "")
    if not cookie:
        raise ValidationProblem.of([FieldError("/refresh_token", "required", "This field is required.")])
    refuse_foreign_origin(request)
    return cookie, True


def token_response(login: Login, *, cookie: bool = False, **more: Any) -> Response:
    """The tokens of a login, and `more` members; the refresh token in the body, or instead in the cookie."""
    body = {**TokenResponse(login, context={"cookie": cookie}).data, **more}
    response = Response(body, headers={"Pragma": "no-cache"})
    if cookie:
        _put(response, login.session)
    return response


def held(request: HttpRequest) -> RefreshClaims | None:
    """What the cookie of a request says, if it has a good one."""
    try:
        return read_refresh_token(request.COOKIES.get(NAME, ""))
    except TokenError:
        return None


def goes_on(request: Request, login: Login, **more: Any) -> Response:
    """New tokens of the session that the request was made with, kept where this browser keeps the old ones."""
    claims = held(request._request)
    holds = claims is not None and claims.session_id == login.session.pk
    return token_response(login, cookie=holds, **more)


def remove(response: Response) -> None:
    response.delete_cookie(NAME, path=settings.REFRESH_COOKIE_PATH, samesite="Strict")


def _put(response: Response, session: RefreshSession) -> None:
    response.set_cookie(
        NAME,
        refresh_token(session),
        max_age=session.expires_at - timezone.now(),
        path=settings.REFRESH_COOKIE_PATH,
        secure=settings.REFRESH_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
