"""Where events go that leave the database, and how far each practice's have left; the seals that stay vouch for it."""

import gzip
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson

from audit import anchoring, seals
from audit.models import Seal

FOLDER = "audit-archive"
SUFFIX = ".gz"


def left(practice_id: UUID) -> tuple[int, int]:
    """Number and end of the last seal whose events have left. Raises ValueError when somebody else wrote it."""
    said = _said(practice_id)
    return said["seq"], said["until"]


def say(practice_id: UUID, last: Seal, file: str) -> None:
    """Up to which seal they have left, and that this file counts: a run that was cut off may have left others."""
    files = [*_said(practice_id)["files"], file]
    said = {"practice": str(practice_id), "seq": last.seq, "until": last.until, "head": seals.head(last).hex()}
    anchoring.save_signed(_name(practice_id), {**said, "files": files})


def file_of(practice_id: UUID, first: Seal, last: Seal) -> str:
    return f"{FOLDER}/{practice_id}/{first.seq:010d}-{last.seq:010d}{SUFFIX}"


def events(practice_id: UUID) -> Iterator[tuple[int, bytes, bytes, bytes | None]]:
    """Transaction, content, hash and what a seal took in its place, as `verifying` reads those that haven't left."""
    store = anchoring.store()
    for key in _said(practice_id)["files"]:
        if store.facts(key) is None:
            return  # what it held is missed
        for line in gzip.decompress(store.read(key)).splitlines():
            xid, said, mac, taken, _grants = orjson.loads(line)
            yield (
                int(xid),
                said.encode(),
                bytes.fromhex(mac),
                bytes.fromhex(taken) if taken else None,
            )


def _said(practice_id: UUID) -> dict[str, Any]:
    said = anchoring.read_signed(_name(practice_id))
    if said is None:
        return {"seq": 0, "until": 0, "files": []}
    if said.get("practice") != str(practice_id):
        raise ValueError(f"{_name(practice_id)} is of another practice.")
    return said


def _name(practice_id: UUID) -> str:
    return f"{FOLDER}/{practice_id}/retired.json"
