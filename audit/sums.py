"""What a seal says of rows: a digest of their hashes, and a mark of each. Four bytes of memory a row, however many."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from psycopg import ServerCursor
from psycopg.types.string import ByteaBinaryLoader

FORM = "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'"
HASH_BYTES = 16
MARK_BYTES = 4
"""Of each row's hash a seal keeps so much, to tell later which of its rows is gone or new."""

CHANGES = "SELECT xid, id::text, hash FROM audit_changes_hashed({since}, {until})"
"""Of the active practice; in a platform scope, of what the database's owner did outside any."""
PLATFORM_EVENTS = (
    "SELECT xid, id::text, substr(sha256(convert_to(ROW(id, xid, practice_id, at, actor_kind, actor_id, actor_label,"
    " roles, action, entity, entity_id, patient_ids, changes, request_id, ip, operation, reason, status)::text,"
    " 'UTF8')), 1, 16) FROM audit_platformauditevent WHERE xid >= {since} AND xid < {until} ORDER BY xid, id"
)
END = 2**63 - 1
PAGE = 1000
Row = tuple[int, bytes, bytes]
"""Transaction, id and hash."""


@dataclass(frozen=True, slots=True)
class Sum:
    count: int
    digest: bytes
    marks: bytes


def digest_of(hashes: Iterable[bytes]) -> bytes:
    """The sum's digest alone, of what is in memory: a fourth of the time."""
    return hashlib.sha256(b"".join(hashes)).digest()


def summed(hashes: Iterable[bytes]) -> Sum:
    digest, marks = hashlib.sha256(), bytearray()
    for each in hashes:
        digest.update(each)
        marks += each[:MARK_BYTES]
    return Sum(len(marks) // MARK_BYTES, digest.digest(), bytes(marks))


def sum_of(hashes: bytes) -> Sum:
    """Of hashes in one piece, each of HASH_BYTES."""
    starts = range(0, len(hashes), HASH_BYTES)
    marks = b"".join([hashes[start : start + MARK_BYTES] for start in starts])
    return Sum(len(starts), hashlib.sha256(hashes).digest(), marks)


def streamed(sql: str, *, using: str = "default") -> Iterator[Any]:
    """Rows with texts as the bytes PostgreSQL sends; the statement holds nothing but our own text, ids and numbers.

    A cursor's pages take a third of what COPY takes here, where the driver waits for every row by itself.
    """
    with connections[using].cursor() as cursor:
        cursor.execute(FORM)
    with ServerCursor(connections[using].connection, "audit") as pages:
        pages.adapters.register_loader("text", ByteaBinaryLoader)
        pages.execute(sql, binary=True)
        while rows := pages.fetchmany(PAGE):
            yield from rows


def hashes(sql: str, since: int, until: int) -> Iterator[bytes]:
    return (each for _, _, each in streamed(sql.format(since=since, until=until)))


def odd_ones(sealed: Iterable[tuple[int, int, bytes, bytes]], rows: Iterator[Row], what: str) -> Iterator[str]:
    """Of seals (number, end, digest, marks) those whose rows are others now, with the first such row."""
    row = next(rows, None)
    for seq, until, digest, marks in sealed:
        found: list[Row] = []
        while row is not None and row[0] < until:
            found.append(row)
            row = next(rows, None)
        present = [each for _, _, each in found]
        if digest_of(present) != digest:
            yield odd_one(seq, marks, present, [name for _, name, _ in found], what)


def odd_one(seq: int, marks: bytes, present: Sequence[bytes], ids: Sequence[bytes], what: str) -> str:
    """Where the rows begin to differ from those that were sealed."""
    sealed = [marks[start : start + MARK_BYTES] for start in range(0, len(marks), MARK_BYTES)]
    pairs = zip(present, sealed, strict=False)
    place = next(
        (n for n, (each, mark) in enumerate(pairs) if each[:MARK_BYTES] != mark), min(len(present), len(sealed))
    )
    if place >= len(present):
        after = f" after {what} {ids[-1].decode()}" if ids else ""
        return f"one {what} is gone from the end of seal {seq}{after}"
    if place + 1 < len(sealed) and present[place][:MARK_BYTES] == sealed[place + 1]:
        return f"one {what} is gone from seal {seq} before {what} {ids[place].decode()}"
    return f"{what} {ids[place].decode()} is not the one sealed at place {place + 1} of seal {seq}"
