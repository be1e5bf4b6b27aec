"""What production refuses to start with."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

SECRET_LENGTH = 50
FIELD_KEY_BYTES = 32


def unsafe_settings(values: Mapping[str, Any]) -> list[str]:
    """Everything about these settings that production must not run with, each with its cure."""
    return [
        *_secrets(values),
        *_audit_keys(values),
        *_services(values),
        *_vendors(values),
        *_web(values),
    ]


def _secrets(values: Mapping[str, Any]) -> Iterator[str]:
    signing_keys = values["JWT_SIGNING_KEYS"]
    for name, value in (
        ("SECRET_KEY", values["SECRET_KEY"]),
        *(("JWT_SIGNING_KEY", key) for key in signing_keys or [""]),
    ):
        if not value:
            yield f"{name} is missing: set it to {SECRET_LENGTH} or more random characters."
        elif "development-only" in value:
            yield f"{name} is the development default: set it to {SECRET_LENGTH} or more random characters."
        elif len(value) < SECRET_LENGTH:
            yield f"{name} is too short: set it to {SECRET_LENGTH} or more random characters."
    if values["SECRET_KEY"] and values["SECRET_KEY"] in signing_keys:
        yield "JWT_SIGNING_KEY equals SECRET_KEY: give it a value of its own."
    if not values["FIELD_ENCRYPTION_KEYS"]:
        yield "FIELD_ENCRYPTION_KEYS is missing: set it to a Fernet key (docs/operations.md says how to make one)."
    elif not all(_is_field_key(key) for key in values["FIELD_ENCRYPTION_KEYS"]):
        yield "FIELD_ENCRYPTION_KEYS holds something that is no Fernet key, or the development key: replace it."


def _audit_keys(values: Mapping[str, Any]) -> Iterator[str]:
    for name in ("AUDIT_HASH_KEYS", "AUDIT_SIGNING_KEYS"):
        if not values[name] or not all(_is_field_key(key) for key in values[name]):
            yield f"{name} is missing, or holds the development key or something else than 32 bytes in base64: set it."
    if set(values["AUDIT_HASH_KEYS"]) & set(values["AUDIT_SIGNING_KEYS"]):
        yield "AUDIT_SIGNING_KEYS holds a key of AUDIT_HASH_KEYS: give it one of its own."


def _is_field_key(key: str) -> bool:
    try:
        decoded = base64.urlsafe_b64decode(key)
    except (binascii.Error, ValueError):
        return False
    return len(decoded) == FIELD_KEY_BYTES and not decoded.startswith(b"development-only")


def _services(values: Mapping[str, Any]) -> Iterator[str]:
    for name in ("DATABASE_URL", "REDIS_URL"):
        if not values[name]:
            yield f"{name} is missing: production starts no embedded service."
    runtime, owner = urlsplit(values["DATABASE_URL"]).username, urlsplit(values["DATABASE_OWNER_URL"]).username
    if runtime and runtime == owner:
        yield "DATABASE_URL logs in as the owner: use the runtime login, which row level security binds."


def _vendors(values: Mapping[str, Any]) -> Iterator[str]:
    for capability in ("EMAIL", "SMS", "PAYMENTS", "STORAGE"):
        if values[f"{capability}_VENDOR"] in {"", "console"}:
            yield f"{capability}_VENDOR is the console: name a real vendor (.env.example lists them)."


def _web(values: Mapping[str, Any]) -> Iterator[str]:
    if values["DEBUG"]:
        yield "DEBUG is on: unset it."
    if not values["ALLOWED_HOSTS"] or "*" in values["ALLOWED_HOSTS"]:
        yield "ALLOWED_HOSTS is missing or '*': list the host names that are served."
    if not values["RATELIMIT_ENABLE"]:
        yield "RATELIMIT_ENABLE is off: unset it."
    if not values["PUBLIC_URL"].startswith("https://"):
        yield "PUBLIC_URL is missing or not https: set it to the address that browsers use."
    elif not values["PASSWORD_RESET_URL"].startswith("https://"):  # it begins with PUBLIC_URL by default
        yield "PASSWORD_RESET_URL is not https: set it to the page that links for a new password open, or unset it."
    elif not values["INVITATION_URL"].startswith("https://"):
        yield "INVITATION_URL is not https: set it to the page that links of invitations open, or unset it."
    origins = [*values["CORS_ALLOWED_ORIGINS"], *values["CSRF_TRUSTED_ORIGINS"]]
    if any(not origin.startswith("https://") for origin in origins):
        yield "CORS_ALLOWED_ORIGINS or CSRF_TRUSTED_ORIGINS has an origin without https: correct it."
