"""Secrets that are handed out once and kept as a hash: invitations, API keys.

Each carries its practice's id, so that the scope in which it is looked up can be opened before it is found. The hash is
of the whole text: with another practice's id in it, it is another secret, which nobody has.
"""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from uuid import UUID

KEY_MARK = "pk_"
SECRET_BYTES = 32
LENGTH = 64
"""Characters of a secret: the practice's id and random bytes, in URL-safe base64."""


def new_secret(practice_id: UUID) -> str:
    return base64.urlsafe_b64encode(practice_id.bytes + secrets.token_bytes(SECRET_BYTES)).decode()


def practice_named_by(secret: str) -> UUID | None:
    """The practice that a well-formed secret names; nothing says yet that the secret is any good."""
    if len(secret) != LENGTH or not secret.isascii():
        return None
    try:
        return UUID(bytes=base64.b64decode(secret, altchars=b"-_", validate=True)[:16])
    except (ValueError, binascii.Error):
        return None


def digest(secret: str) -> str:
    """SHA-256 in hexadecimal: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class KeyParts:
    prefix: str
    practice_id: UUID


def new_key(prefix: str, practice_id: UUID) -> str:
    """`pk_<prefix>_<secret>`: a mark that scanners for leaked secrets can look for, and a name for lists and logs."""
    return f"{KEY_MARK}{prefix}_{new_secret(practice_id)}"


def is_key(text: str) -> bool:
    """Whether it means to be an API key, and no other kind of bearer token."""
    return text.startswith(KEY_MARK)


def key_parts(text: str) -> KeyParts | None:
    """What a well-formed key names; nothing says yet that it is any good."""
    prefix, _, secret = text.removeprefix(KEY_MARK).partition("_")
    practice_id = practice_named_by(secret) if is_key(text) else None
    return KeyParts(prefix, practice_id) if practice_id is not None and prefix.isalnum() else None
