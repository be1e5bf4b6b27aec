"""What an event says, as one text: made here when it is written and by PostgreSQL when it is read, the same both times.

The keyed hash of that text (`mac`) is stored beside the event. Its key is never in the database.
"""

import hashlib
import socket
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

import orjson
from django.conf import settings

MAC_BYTES = 16
SEALED_SQL = (
    "CASE WHEN cardinality(access_grants) = 0 THEN mac"
    " ELSE substr(sha256(mac || convert_to(access_grants::text, 'UTF8')), 1, 16) END"
)
"""What a seal takes of an event: its hash, and the break-glass grants that PostgreSQL itself found for it."""
SEPARATOR = "\x1f"
_FREE = ("actor_label", "entity", "operation", "reason", "request_id")
"""Texts that might hold a separator: their lengths go in front."""

CONTENT_SQL = (
    "concat_ws(E'\\x1f', id, practice_id, at, actor_kind, coalesce(actor_id::text, ''),"
    " array_to_string(roles, ','), action, coalesce(entity_id::text, ''), patient_ids, changes,"
    f" coalesce(host(ip), ''), coalesce(status::text, ''), {', '.join(f'length({name})' for name in _FREE)},"
    f" {', '.join(_FREE)})"
)
"""Under `SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'`."""


def content(event: dict[str, Any]) -> str:
    """Of an event as recorded, its ids and times being what orjson makes of them."""
    text = orjson.loads(orjson.dumps({**event, "at": _instant(event["at"])}, default=str))
    free = [text[name] for name in _FREE]
    return SEPARATOR.join(
        (
            text["id"],
            text["practice_id"],
            text["at"],
            text["actor_kind"],
            text["actor_id"] or "",
            ",".join(text["roles"]),
            text["action"],
            text["entity_id"] or "",
            "{" + ",".join(text["patient_ids"]) + "}",
            _object(text["changes"]),
            _address(text["ip"]),
            "" if text["status"] is None else str(text["status"]),
            *[str(len(each)) for each in free],
            *free,
        )
    )


def mac(said: bytes, key: bytes | None = None) -> bytes:
    """Under the first key, unless said."""
    return hashlib.blake2b(said, key=key or hash_keys()[0], digest_size=MAC_BYTES).digest()


def is_genuine(said: bytes, stored: bytes) -> bool:
    return any(mac(said, key) == stored for key in hash_keys())


def hash_keys() -> tuple[bytes, ...]:
    return _decoded(tuple(settings.AUDIT_HASH_KEYS))


@lru_cache(maxsize=8)
def _decoded(keys: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(urlsafe_b64decode(key) for key in keys)


def _instant(at: datetime) -> str:
    """As PostgreSQL writes a timestamptz in UTC: a fraction of a second without its last zeros."""
    text = at.astimezone(UTC).isoformat(" ")[: -len("+00:00")]
    return (text.rstrip("0") if "." in text else text) + "+00"


def _address(ip: str | None) -> str:
    if ip is None or ":" not in ip:
        return ip or ""
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, ip))


def _list(value: list[Any]) -> str:
    return "[" + ", ".join([_WRITTEN[type(each)](each) for each in value]) + "]"


def _object(value: dict[str, Any]) -> str:
    """As PostgreSQL writes a jsonb: keys by length and then by bytes, whose order is that of code points."""
    keys = sorted([(len(key.encode()), key) for key in value])
    pairs = [f"{encode_basestring(key)}: {_WRITTEN[type(value[key])](value[key])}" for _, key in keys]
    return "{" + ", ".join(pairs) + "}"


def _float(value: float) -> str:
    """Without an exponent."""
    return format(abs(Decimal(repr(value))) if value == 0 else Decimal(repr(value)), "f")


_WRITTEN: dict[type, Callable[[Any], str]] = {  # what orjson reads has no other types
    str: encode_basestring,
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    int: str,
    float: _float,
    list: _list,
    dict: _object,
}


def plain(said: bytes) -> bytes:
    """Of an event from before events had a keyed hash; the seal's signature vouches for it."""
    return hashlib.blake2b(said, digest_size=MAC_BYTES).digest()
