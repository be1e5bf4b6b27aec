"""A seal's own text, hash and signature. The key that signs is never in the database."""

import hashlib
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

MARK_BYTES = 4
"""Of each event's hash a seal keeps so much, to tell later which of its events is gone or new."""
NOTHING = bytes(32)
"""What the first seal of a practice follows."""


class Sealed(Protocol):
    practice_id: Any
    seq: int
    since: int
    until: int
    count: int
    digest: Any
    previous: Any


def head(seal: Sealed) -> bytes:
    """The hash that the next seal follows, that is signed and that is anchored."""
    said = (
        f"{seal.practice_id}|{seal.seq}|{seal.since}|{seal.until}|{seal.count}"
        f"|{bytes(seal.digest).hex()}|{bytes(seal.previous).hex()}"
    )
    return hashlib.sha256(said.encode()).digest()


def digest(macs: Iterable[bytes]) -> bytes:
    return hashlib.sha256(b"".join(macs)).digest()


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
