"""The codes themselves: RFC 6238 time-based ones of an authenticator app, and recovery codes. No database, no user."""

import base64
import hashlib
import re
import secrets
import time
from urllib.parse import quote, urlencode

from django.conf import settings
from django_otp.oath import TOTP

SECRET_BYTES = 20
STEP_SECONDS = 30
DIGITS = 6
DRIFT = 1
"""Steps that the clock of somebody's telephone may be wrong by, either way."""
RECOVERY_CODES = 10
RECOVERY_CODE_BYTES = 15


def new_secret() -> str:
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def provisioning_uri(secret: str, account: str) -> str:
    """What an app reads from the QR code."""
    issuer = settings.TOTP_ISSUER
    query = {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_SECONDS}
    return f"otpauth://totp/{quote(issuer)}:{quote(account)}?{urlencode(query, quote_via=quote)}"


def code_at(secret: str, at: float) -> str:
    return f"{_totp(secret, at).token():0{DIGITS}}"


def step_at(at: float) -> int:
    return int(at) // STEP_SECONDS


def matching_step(secret: str, code: str, *, after: int, at: float | None = None) -> int | None:
    """The time step whose code this is, among the few that count now and come after step `after`; else None."""
    if not re.fullmatch(rf"[0-9]{{{DIGITS}}}", code):
        return None
    totp = _totp(secret, time.time() if at is None else at)
    return totp.t() if totp.verify(int(code), tolerance=DRIFT, min_t=after + 1) else None


def new_recovery_codes() -> list[str]:
    """Such as `abcd-efgh-2345-ijkl-mnop-67qr`."""
    return [_grouped(base64.b32encode(secrets.token_bytes(RECOVERY_CODE_BYTES))) for _ in range(RECOVERY_CODES)]


def recovery_digest(code: str) -> str:
    """However it was typed: with or without dashes, blanks and capitals."""
    return hashlib.sha256(re.sub(r"[\s-]", "", code).lower().encode(errors="replace")).hexdigest()


def _grouped(code: bytes) -> str:
    return "-".join(re.findall("....", code.decode().lower()))


def _totp(secret: str, at: float) -> TOTP:
    totp = TOTP(base64.b32decode(secret), step=STEP_SECONDS, digits=DIGITS)
    totp.time = at
    return totp
