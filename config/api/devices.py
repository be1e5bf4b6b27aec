"""Devices that an account has logged in from, known again by a token of theirs (OWASP's device cookies).

It opens nothing. It only gives the device's attempts a count of their own, so that a stranger who tries out passwords
uses up the strangers' count and not that of the people who belong there.
"""

import secrets
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac

SALT = "known-device"
LIFETIME = timedelta(days=90)
MAX_LENGTH = 400


def known_device(request: HttpRequest, account: str, token: str = "") -> str | None:
    """The id of a device this account has logged in from: by `token`, or by the account's cookie of its own."""
    for text in (token, request.COOKIES.get(_cookie_name(account), "")):
        try:
            mark, device = signing.loads(text[:MAX_LENGTH], salt=SALT, max_age=LIFETIME)
        except (signing.BadSignature, ValueError, TypeError):
            continue
        if constant_time_compare(str(mark), _mark(account)):
            return str(device)
    return None


def device_token(request: HttpRequest, account: str, token: str = "") -> str:
    """For a device from which the account has just logged in; the one it had is renewed."""
    device = known_device(request, account, token) or secrets.token_hex(16)
    return signing.dumps([_mark(account), device], salt=SALT)


def remember(response: HttpResponseBase, account: str, token: str) -> None:
    """A cookie for each account, since people share the computer at the front desk."""
    response.set_cookie(
        _cookie_name(account),
        token,
        max_age=LIFETIME,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


def _mark(account: str) -> str:
    return salted_hmac(SALT, account.strip().casefold().encode(errors="replace"), algorithm="sha256").hexdigest()[:32]


def _cookie_name(account: str) -> str:
    return f"device_{_mark(account)[:12]}"
