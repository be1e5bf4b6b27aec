"""Where events go that leave the database, and how far each practice's have left; the seals that stay vouch for it."""

import gzip
from collections.abc import Iterator
from uuid import UUID

import orjson

from audit import anchoring, seals
from audit.models import Seal

FOLDER = "audit-archive"
SUFFIX = ".gz"


def left(practice_id: UUID) -> tuple[int, int]:
    """Number and end of the last seal whose events have left. Raises ValueError when somebody else wrote it."""
    said = anchoring.read_signed(_name(practice_id))
    if said is None:
        return 0, 0
    if said.get("practice") != str(practice_id):
        raise ValueError(f"{_name(practice_id)} is of another practice.")
    return said["seq"], said["until"]


def say(practice_id: UUID, last: Seal) -> None:
    said = {"practice": str(practice_id), "seq": last.seq, "until": last.until, "head": seals.head(last).hex()}
    anchoring.save_signed(_name(practice_id), said)


def file_of(practice_id: UUID, first: Seal, last: Seal) -> str:
    return f"{FOLDER}/{practice_id}/{first.seq:010d}-{last.seq:010d}{SUFFIX}"


def events(practice_id: UUID) -> Iterator[tuple[int, bytes, bytes, bytes | None]]:
    """Transaction, content, hash and what a seal took in its place, as `verifying` reads those that haven't left."""
    store = anchoring.store()
    for key in sorted(each for each in store.keys(f"{FOLDER}/{practice_id}") if each.endswith(SUFFIX)):
        for line in gzip.decompress(store.read(key)).splitlines():
            xid, said, mac, taken, _grants = orjson.loads(line)
            yield (
                int(xid),
                said.encode(),
                bytes.fromhex(mac),
                bytes.fromhex(taken) if taken else None,
            )


def _name(practice_id: UUID) -> str:
    return f"{FOLDER}/{practice_id}/retired.json"
