"""Our two kinds of JWT: HS256 and nothing else, signed by a named key, every claim demanded.

`settings.JWT_SIGNING_KEYS`: the first signs, all verify. A token names its key (`kid`), so that keys can be replaced
one by one while tokens of the old one live on.
"""

import hashlib
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import (
    ExpiredTokenError,
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)

__all__ = ["AccessToken", "ExpiredTokenError", "RefreshToken", "TokenError", "decoded"]

ALGORITHM = "HS256"
LEEWAY_SECONDS = 10  # clocks of several machines
MAX_LENGTH = 4096
REQUIRED = ["aud", "exp", "iat", "iss", "jti", "nbf", "sub", "token_type"]


def key_id(key: str) -> str:
    """Names a key without telling it."""
    return hashlib.sha256(b"kid:" + key.encode()).hexdigest()[:16]


@lru_cache(maxsize=8)
def _named(keys: tuple[str, ...]) -> Mapping[str, bytes]:
    return {key_id(key): key.encode() for key in keys}


class KeyRing(TokenBackend):
    """Signs and verifies one kind of token, which the header's `typ` names (RFC 8725, 3.11)."""

    def __init__(self, typ: str) -> None:
        super().__init__(
            ALGORITHM,
            audience=str(settings.SIMPLE_JWT["AUDIENCE"]),
            issuer=str(settings.SIMPLE_JWT["ISSUER"]),
            leeway=LEEWAY_SECONDS,
        )
        self.typ = typ

    def encode(self, payload: dict[str, Any]) -> str:
        named = _named(tuple(settings.JWT_SIGNING_KEYS))
        kid, key = next(iter(named.items()))
        claims = {"nbf": payload["iat"], "aud": self.audience, "iss": self.issuer, **payload}
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": kid, "typ": self.typ})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """Raises TokenBackendError whatever is wrong, TokenBackendExpiredToken when it is only too old."""
        try:
            return self._decode(token)
        except jwt.ExpiredSignatureError as exc:
            raise TokenBackendExpiredToken("This token has expired.") from exc
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
            raise TokenBackendError("This is no token of ours.") from exc

    def _decode(self, token: Any) -> dict[str, Any]:
        if len(token) > MAX_LENGTH:
            raise ValueError
        header = jwt.get_unverified_header(token)
        if header.get("typ") != self.typ:
            raise ValueError
        key = _named(tuple(settings.JWT_SIGNING_KEYS)).get(header.get("kid", ""))
        if key is None:
            raise ValueError
        return jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=self.audience,
            issuer=self.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED},
        )


class _Signed:
    """Puts a kind of simplejwt's tokens on its key ring."""

    ring: KeyRing

    def get_token_backend(self) -> TokenBackend:
        return self.ring


class AccessToken(_Signed, tokens.AccessToken):
    ring = KeyRing("at+jwt")


class RefreshToken(_Signed, tokens.RefreshToken):  # type: ignore[misc]  # the library's own two bases disagree
    ring = KeyRing("rt+jwt")


def decoded(kind: type[AccessToken] | type[RefreshToken], text: str) -> dict[str, Any]:
    """The claims of a token of this kind that we signed. Raises ExpiredTokenError, or TokenError for anything else."""
    hashable: Any = kind
    payload = _decoded(hashable, text, tuple(settings.JWT_SIGNING_KEYS))
    if payload["exp"] <= time.time() - LEEWAY_SECONDS:
        raise ExpiredTokenError("This token has expired.")
    return dict(payload)


@lru_cache(maxsize=4096)
def _decoded(kind: Any, text: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    """A signature that was right stays right under the same keys: clients show a token many times before it expires."""
    try:
        payload: dict[str, Any] = kind(text).payload
    except (ValueError, TypeError, AttributeError, OverflowError) as exc:
        raise TokenError("This is no token of ours.") from exc
    return payload
