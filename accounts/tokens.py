"""The two JWTs of a login. Both are only claims: PostgreSQL says whether the session behind them is still alive."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts.models import RefreshSession
from config.api.signing import AccessToken, ExpiredTokenError, RefreshToken, TokenError, decoded

__all__ = ["AccessClaims", "ExpiredTokenError", "RefreshClaims", "TokenError"]


@dataclass(frozen=True, slots=True)
class AccessClaims:
    user_id: UUID
    practice_id: UUID
    session_id: UUID
    token_version: int


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    user_id: UUID
    practice_id: UUID
    session_id: UUID
    generation: int


def access_token(session: RefreshSession) -> str:
    token = AccessToken()
    _name_session(token, session)
    token["ver"] = session.token_version
    return str(token)


def refresh_token(session: RefreshSession) -> str:
    """The session's newest refresh token: the same text for one generation, so that two tabs get one successor."""
    token = RefreshToken()
    _name_session(token, session)
    token["gen"] = session.generation
    token["jti"] = f"{session.pk.hex}-{session.generation}"
    token["iat"] = int(session.rotated_at.timestamp())
    token["exp"] = int(session.expires_at.timestamp())
    return str(token)


def read_access_token(text: str) -> AccessClaims:
    """Raises ExpiredTokenError, or TokenError for anything we did not sign as an access token."""
    return access_claims(decoded(AccessToken, text))


def access_claims(payload: dict[str, Any]) -> AccessClaims:
    try:
        return AccessClaims(
            UUID(payload["sub"]), UUID(payload["practice"]), UUID(payload["session"]), _number(payload["ver"])
        )
    except (KeyError, ValueError, TypeError, AttributeError) as exc:
        raise TokenError("This token names no session.") from exc


def read_refresh_token(text: str) -> RefreshClaims:
    """Raises ExpiredTokenError, or TokenError for anything we did not sign as a refresh token."""
    payload = decoded(RefreshToken, text)
    try:
        return RefreshClaims(
            UUID(payload["sub"]), UUID(payload["practice"]), UUID(payload["session"]), _number(payload["gen"])
        )
    except (KeyError, ValueError, TypeError, AttributeError) as exc:
        raise TokenError("This token names no session.") from exc


def _number(claim: object) -> int:
    """What a column of PositiveIntegerField can be compared with."""
    if isinstance(claim, bool) or not isinstance(claim, int) or not 0 < claim < 2**31:
        raise ValueError
    return claim


def expires_in() -> int:
    """Seconds an access token lives."""
    return int(settings.ACCESS_TOKEN_LIFETIME.total_seconds())


def _name_session(token: AccessToken | RefreshToken, session: RefreshSession) -> None:
    token["sub"] = str(session.user_id)
    token["practice"] = str(session.practice_id)
    token["session"] = str(session.pk)
