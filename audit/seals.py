"""A seal's own text, hash and signature. The key that signs is never in the database."""

import hashlib
from base64 import urlsafe_b64decode
from functools import lru_cache
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

NOTHING = bytes(32)
"""What the first seal of a chain follows."""


class Sealed(Protocol):
    practice_id: Any
    seq: int
    since: int
    until: int
    count: int
    digest: Any
    previous: Any
    changes_digest: Any


def head(seal: Sealed) -> bytes:
    """The hash that the next seal follows, that is signed and that is anchored."""
    said = (
        f"{seal.practice_id}|{seal.seq}|{seal.since}|{seal.until}|{seal.count}"
        f"|{bytes(seal.digest).hex()}|{bytes(seal.previous).hex()}"
    )
    if seal.changes_digest:  # seals from before the record of changes was sealed have none
        said += f"|{bytes(seal.changes_digest).hex()}"
    return hashlib.sha256(said.encode()).digest()


def sign(said: bytes) -> bytes:
    return _keys(tuple(settings.AUDIT_SIGNING_KEYS))[0].sign(said)


def is_signed(said: bytes, signature: bytes) -> bool:
    return any(_verifies(key, said, signature) for key in _public(tuple(settings.AUDIT_SIGNING_KEYS)))


def _verifies(key: Ed25519PublicKey, said: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, said)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=8)
def _keys(encoded: tuple[str, ...]) -> tuple[Ed25519PrivateKey, ...]:
    return tuple(Ed25519PrivateKey.from_private_bytes(urlsafe_b64decode(each)) for each in encoded)


@lru_cache(maxsize=8)
def _public(encoded: tuple[str, ...]) -> tuple[Ed25519PublicKey, ...]:
    return tuple(key.public_key() for key in _keys(encoded))
