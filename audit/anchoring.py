"""The heads of all chains, kept where who owns the database can't reach: a chain that was cut shows against them."""

from collections.abc import Iterable
from io import BytesIO
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from audit import seals

FOLDER = "audit-anchors"
LATEST = f"{FOLDER}/latest.json"
Head = tuple[UUID | str, int, bytes]
"""practice or "platform", number of its newest seal, and that seal's hash."""


def anchor(heads: Iterable[Head]) -> bool:
    """Keeps them all as the latest, and those that moved under the minute's own name. False when none has moved."""
    before = latest()
    now = {str(practice_id): [seq, head.hex()] for practice_id, seq, head in heads}
    moved = {practice_id: head for practice_id, head in now.items() if before.get(practice_id) != head}
    if not moved:
        return False
    at = timezone.now()
    save_signed(f"{FOLDER}/{at:%Y%m%d}/{at:%H%M%S}.json", moved)
    save_signed(LATEST, {**before, **now})
    return True


def latest() -> dict[str, Any]:
    """practice -> [number, hash]; empty before the first. Raises ValueError when somebody else wrote it."""
    return read_signed(LATEST) or {}


def save_signed(key: str, heads: dict[str, Any]) -> None:
    said = orjson.dumps(heads, option=orjson.OPT_SORT_KEYS)
    kept = {"at": timezone.now().isoformat(), "heads": heads, "signature": seals.sign(said).hex()}
    store().save(key, BytesIO(orjson.dumps(kept)), content_type="application/json")


def read_signed(key: str) -> dict[str, Any] | None:
    if store().facts(key) is None:
        return None
    kept = orjson.loads(store().read(key))
    if not seals.is_signed(orjson.dumps(kept["heads"], option=orjson.OPT_SORT_KEYS), bytes.fromhex(kept["signature"])):
        raise ValueError(f"{key} is not signed by a key of ours.")
    heads: dict[str, Any] = kept["heads"]
    return heads


def store() -> Any:
    return import_string(settings.AUDIT_ANCHOR_STORE)()
