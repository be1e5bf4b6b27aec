"""Getting tokens, renewing and ending them. These paths run outside any scope (settings.UNSCOPED_PATHS)."""

import re
from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import refresh_cookie
from accounts.authentication import UnscopedTokenAuthentication, caller, session_id_of
from accounts.backends import check_credentials
from accounts.models import Membership, User
from accounts.parsers import FormParser
from accounts.receivers import announce_failure
from accounts.refresh_cookie import token_response
from accounts.second_factor import Proof, WrongCode, device_of, prove
from accounts.serializers.auth import (
    LogoutRequest,
    PracticeSummary,
    SwitchPracticeRequest,
    TokenRequest,
    TokenResponse,
)
from accounts.sessions import (
    Login,
    Origin,
    SessionEnded,
    carry_on,
    had_second_factor,
    log_out,
    practices_open_to,
    start_session,
)
from accounts.tokens import ExpiredTokenError, TokenError, read_refresh_token
from config.api import throttling
from config.api.client import client_address
from config.api.devices import device_token, remember
from config.api.origin import refuse_foreign_origin
from config.api.parsers import JSONParser
from config.api.problem import FieldError, Forbidden, NotAuthenticated, Problem, ValidationProblem
from config.api.views import APIView
from practices.tenancy import identity_scope

WRONG_CREDENTIALS = "The email address or the password is wrong."
WRONG_CODE = "The code is wrong, too old, or was used before."
WRONG_TOKEN = "The refresh token is no longer good; log in again."  # noqa: S105  # words for people, no secret


def origin_of(request: HttpRequest) -> Origin:
    return Origin(
        request_id=getattr(request, "request_id", ""),
        ip=client_address(request) or None,
        user_agent=request.headers.get("User-Agent", ""),
    )


class TokenView(APIView):
    """Log in with an email address and a password, or renew with a refresh token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (JSONParser, FormParser)
    serializer_class = TokenRequest
    auth_limited = True
    idempotent = False

    @extend_schema(operation_id="auth_token", request=TokenRequest, responses={200: TokenResponse}, auth=[])
    def post(self, request: Request) -> Response:
        serializer = TokenRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        if body["grant_type"] == "refresh_token":
            token, cookie = refresh_cookie.given_token(request._request, body.get("refresh_token"))
            return token_response(_renew(token, origin_of(request._request)), cookie=cookie)
        if body["cookie"]:
            refuse_foreign_origin(request._request)  # or another site could log its visitors in as somebody else
        login = _log_in(request._request, body)
        token = device_token(request._request, login.user.email, body.get("device_token", ""))
        response = token_response(login, cookie=body["cookie"], device_token=token)
        remember(response, login.user.email, token)
        return response

    def get_limits(self, request: Request) -> list[throttling.Limit]:
        """Renewing with a token of ours is no guessing: it counts as a request of its user's, as many as may share an
        address.
        """
        try:
            body = request.data if isinstance(request.data, dict) else {}
        except APIException:
            body = {}
        if body.get("grant_type") == "refresh_token":
            with suppress(TokenError):
                token = body.get("refresh_token", request.COOKIES.get(refresh_cookie.NAME, ""))
                return [throttling.user_limit(read_refresh_token(token).user_id)]
        known = body.get("device_token")
        account = self.get_limited_account(request)
        return throttling.auth_limits(request._request, account, known if isinstance(known, str) else "")


class LogoutView(APIView):
    """End the session of the refresh token in the body or the cookie.

    One that is no longer good has nothing to end: 204 all the same.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = LogoutRequest
    idempotent = False

    @extend_schema(operation_id="auth_logout", request=LogoutRequest, responses={204: None}, auth=[])
    def post(self, request: Request) -> Response:
        serializer = LogoutRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        token, cookie = refresh_cookie.given_token(request._request, serializer.validated_data.get("refresh_token"))
        response = Response(status=204)
        if cookie:
            refresh_cookie.remove(response)
        with suppress(TokenError):
            log_out(read_refresh_token(token), origin=origin_of(request._request))
        return response


class SwitchPracticeView(APIView):
    """Log in to another practice of the caller without the password. The session in this one goes on, unless the
    cookie that carries it on is replaced.
    """

    authentication_classes = (UnscopedTokenAuthentication,)
    permission_classes = (IsAuthenticated,)
    serializer_class = SwitchPracticeRequest
    idempotent = False

    @extend_schema(operation_id="auth_switch_practice", request=SwitchPracticeRequest, responses={200: TokenResponse})
    def post(self, request: Request) -> Response:
        serializer = SwitchPracticeRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        user, cookie = caller(request), serializer.validated_data["cookie"]
        if cookie:
            refuse_foreign_origin(request._request)
        origin = origin_of(request._request)
        membership = _chosen(practices_open_to(user, origin), serializer.validated_data["practice"])
        proven = had_second_factor(user, session_id_of(request), origin)
        login = start_session(membership=membership, by=user, origin=origin, proven=proven)
        replaced = refresh_cookie.held(request._request) if cookie else None
        if replaced is not None and replaced.user_id == user.pk:
            log_out(replaced, origin=origin)
        return token_response(login, cookie=cookie)


def _renew(token: str, origin: Origin) -> Login:
    try:
        return carry_on(read_refresh_token(token), origin=origin)
    except ExpiredTokenError as exc:
        raise NotAuthenticated(WRONG_TOKEN, code="token_expired") from exc
    except (TokenError, SessionEnded) as exc:
        raise NotAuthenticated(WRONG_TOKEN, code="invalid_credentials") from exc


def _log_in(request: HttpRequest, body: dict[str, Any]) -> Login:
    origin = origin_of(request)
    user = check_credentials(body["username"], body["password"])
    if user is None:
        announce_failure(request, body["username"])
        raise NotAuthenticated(WRONG_CREDENTIALS, code="invalid_credentials")
    memberships = practices_open_to(user, origin)
    if not memberships:
        announce_failure(request, body["username"], reason="no_practice")
        raise Forbidden("You are not an active member of any practice.")
    try:
        proof = _proof(user, body.get("otp") or _code_as_secret(request, body), origin)
        membership = _chosen(memberships, body.get("practice"))
        return start_session(membership=membership, by=user, origin=origin, proof=proof)
    except WrongCode as exc:
        announce_failure(request, body["username"], reason="invalid_otp")
        error = FieldError("/otp", "invalid_credentials", WRONG_CODE)
        raise NotAuthenticated(WRONG_CODE, code="invalid_credentials", errors=[error]) from exc


def _code_as_secret(request: HttpRequest, body: dict[str, Any]) -> str:
    """OAuth2's forms, that of Swagger among them, have no field for a code: six digits as the client's secret are one,
    in the body or, where the client puts them first, in the header.
    """
    scheme, _, basic = request.headers.get("Authorization", "").partition(" ")
    in_header = ""
    if scheme.lower() == "basic":
        with suppress(ValueError):
            in_header = b64decode(basic, validate=True).decode().partition(":")[2]
    given = (body.get("client_secret", ""), in_header)
    return next((secret for secret in given if re.fullmatch("[0-9]{6}", secret)), "")


def _proof(user: User, code: str | None, origin: Origin) -> Proof | None:
    """None for a user without a second factor. Asked only once the password was right; the code isn't used up yet."""
    with identity_scope(user.pk, request_id=origin.request_id, ip=origin.ip):
        device = device_of(user)
        if device is None:
            return None
        if not code:
            raise NotAuthenticated("Send the code of your authenticator app as otp.", code="otp_required")
        return prove(device, code)


def _chosen(memberships: Sequence[Membership], named: str | None) -> Membership:
    if named is None and len(memberships) == 1:
        return memberships[0]
    if named is None:
        raise Problem(
            "You belong to several practices; name one.",
            code="practice_required",
            practices=[PracticeSummary(each.practice).data for each in memberships],
        )
    for membership in memberships:
        if named.lower() in {membership.practice.slug, str(membership.practice_id)}:
            return membership
    raise ValidationProblem.of([FieldError("/practice", "does_not_exist", "There is no such object.")])
