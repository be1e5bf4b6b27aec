"""The bearer token's user. The middleware has checked the signature and opened the scope; here we ask who is alive."""

from typing import Any
from uuid import UUID

import structlog
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.identity import answer, question
from accounts.models import User
from accounts.tokens import AccessClaims, ExpiredTokenError, TokenError, access_claims, read_access_token
from config.api.client import client_address
from config.api.problem import CHALLENGE, Forbidden, NotAuthenticated
from practices.tenancy import Actor, Scope, current_scope, practice_scope


class EnrolmentRequired(Forbidden):
    """Raised while authenticating, which no view can leave out; `before_second_factor` on a view lets it in."""

    code = "mfa_enrolment_required"
    default_detail = "Your role needs a second factor: set one up at /auth/mfa/totp first."


class TokenAuthentication(BaseAuthentication):
    """`request.user` is the User, `request.auth` the token's AccessClaims. No statement of its own."""

    def authenticate(self, request: Request) -> tuple[User, AccessClaims] | None:
        claims = bearer_claims(request)
        if claims is None:
            return None
        scope = current_scope()
        if scope is None or scope.practice_id != claims.practice_id:
            raise NotAuthenticated
        return _enter(scope, claims, request), claims

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class UnscopedTokenAuthentication(TokenAuthentication):
    """For paths that run outside any scope since they end in another practice's: asks in a short scope of its own."""

    def authenticate(self, request: Request) -> tuple[User, AccessClaims] | None:
        claims = bearer_claims(request)
        if claims is None:
            return None
        request_id, ip = getattr(request, "request_id", ""), client_address(request._request) or None
        actor = Actor.user(claims.user_id)
        ask = question(claims)
        with practice_scope(claims.practice_id, actor=actor, request_id=request_id, ip=ip, ask=ask) as scope:
            return _enter(scope, claims, request), claims


def caller(request: Request) -> User:
    """The user of a request that has passed authentication."""
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user


def session_id_of(request: Request) -> UUID:
    """The session of the token a request was authenticated with."""
    if not isinstance(request.auth, AccessClaims):
        raise NotAuthenticated
    return request.auth.session_id


def bearer_claims(request: Request) -> AccessClaims | None:
    """None without a bearer token; raises NotAuthenticated for one that is expired or not ours."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    verified: dict[str, Any] | None = getattr(request._request, "token_payload", None)
    try:
        return access_claims(verified) if verified is not None else read_access_token(token)
    except ExpiredTokenError as exc:
        raise NotAuthenticated("The access token has expired.", code="token_expired") from exc
    except TokenError as exc:
        raise NotAuthenticated from exc


def _enter(scope: Scope, claims: AccessClaims, request: Request) -> User:
    """The scope was opened by asking who the claims stand for."""
    identity = answer(scope.opened)
    if identity is None:
        raise NotAuthenticated
    scope.actor = Actor.user(identity.user.pk, identity.roles, str(identity.user))
    structlog.contextvars.bind_contextvars(user_id=str(identity.user.pk), practice_id=str(claims.practice_id))
    if identity.must_enrol and not getattr(request.parser_context["view"], "before_second_factor", False):
        raise EnrolmentRequired
    return identity.user
