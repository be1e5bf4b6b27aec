"""The opaque text a page is continued with: where a page ended, encrypted, since it may hold a patient's name."""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

MAX_LENGTH = 4096


class InvalidCursor(ValueError):
    pass


@dataclass(frozen=True)
class Cursor:
    """The ordering it was made for, the ordering columns' values at the boundary row, and the direction to go."""

    ordering: tuple[str, ...]
    position: tuple[Any, ...]
    backwards: bool = False

    def encode(self) -> str:
        payload = orjson.dumps([self.ordering, self.position, self.backwards], default=str)
        return _fernet().encrypt(payload).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        if len(text) > MAX_LENGTH:
            raise InvalidCursor
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            ordering, position, backwards = orjson.loads(_fernet().decrypt(padded))
        except (InvalidToken, UnicodeEncodeError, ValueError) as exc:
            raise InvalidCursor from exc
        return cls(tuple(ordering), tuple(position), backwards)


def _fernet() -> MultiFernet:
    return _fernet_for((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=4)
def _fernet_for(secrets: tuple[str, ...]) -> MultiFernet:
    digests = (hashlib.sha256(b"api-cursor:" + secret.encode()).digest() for secret in secrets)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
