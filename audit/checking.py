"""What may be wrong with a log, or a part of one. Each check yields the first that is bad, or nothing."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from secrets import randbits
from typing import Any
from uuid import UUID

from django.db import connections

from audit import seals
from audit.content import CONTENT_SQL, MAC_BYTES, SEALED_SQL, hash_keys, is_genuine, plain
from audit.replaying import differences
from audit.sums import CHANGES, END, digest_of, odd_one, odd_ones, streamed
from audit.triggers import noted_models

ID_LENGTH = 36

_EVENTS = (
    f"SELECT xid, {CONTENT_SQL}, mac,"  # noqa: S608  # our own text, a UUID and a number
    f" CASE WHEN access_grants <> '{{{{}}}}' THEN {SEALED_SQL} END FROM audit_auditevent"
    " WHERE practice_id = '{practice_id}' AND xid >= {since} AND xid < {until} ORDER BY xid"
)
"""Those of one transaction as they come: sorting them here is cheaper."""
_SUM = (
    "sum(hashint8extended(uuid_hash_extended({event}, %(one)s) # uuid_hash_extended(patient_id, %(other)s), %(third)s))"
)
_NONE_STRAY = f"""
SELECT (
    SELECT {_SUM.format(event="id")}
    FROM (SELECT id, unnest(patient_ids) AS patient_id FROM audit_auditevent WHERE xid < %(sealed)s) AS told
) IS NOT DISTINCT FROM (SELECT {_SUM.format(event="event_id")} FROM audit_event_patient)
"""  # noqa: S608  # our own text
"""Sums of hashes under keys drawn for this one look, so that nobody can have chosen rows that match. Row by row
it takes three times as long, and is done where they differ.
"""
_STRAY = """
SELECT coalesce(told.id, found.event_id)
FROM (SELECT id, xid, unnest(patient_ids) AS patient_id FROM audit_auditevent) AS told
    FULL JOIN audit_event_patient AS found ON found.event_id = told.id AND found.patient_id = told.patient_id
WHERE told.id IS NULL OR (found.event_id IS NULL AND told.xid < %s) LIMIT 1
"""
Event = tuple[int, bytes, bytes, bytes | None]
"""xid, content, hash and, with grants, what a seal takes in its place; texts as PostgreSQL sends them.

Of one practice they sort as seals take them, since the content begins with the id.
"""
BATCH = 5000


@dataclass
class Report:
    """What was found in one practice, or in a part of its log: of each kind the first that is bad."""

    events: int = 0
    seals: int = 0
    unsealed: int = 0
    adopted: int = 0
    """From before events had a hash: as they were found when the first seal was made."""
    event: str | None = None
    link: str | None = None
    end: str | None = None
    change: str | None = None
    rows: list[str] = field(default_factory=list)
    """The first of each table."""

    @property
    def problems(self) -> list[str]:
        """They begin with the first bad event, if one is bad."""
        return [each for each in (self.event, self.link, self.end, self.change) if each] + self.rows

    def add(self, later: "Report") -> None:
        for counted in ("events", "seals", "unsealed", "adopted"):
            setattr(self, counted, getattr(self, counted) + getattr(later, counted))
        for kind in ("event", "link", "end", "change"):
            setattr(self, kind, getattr(self, kind) or getattr(later, kind))
        self.rows += later.rows


def unsigned(chain: Sequence[Any]) -> set[int]:
    """Numbers of seals. A tenth of a millisecond each."""
    return {seal.seq for seal in chain if not seals.is_signed(seals.head(seal), seal.signature)}


def broken_links(chain: Sequence[Any], unsigned: Collection[int], before: Any = None) -> Iterator[str]:
    previous, until = (seals.head(before), before.until) if before else (seals.NOTHING, 0)
    for place, seal in enumerate(chain, start=before.seq + 1 if before else 1):
        if seal.seq != place:
            yield f"seal {place} is missing"
        elif seal.previous != previous or seal.since != until:
            yield f"seal {seal.seq} does not follow the one before"
        elif seal.seq in unsigned:
            yield f"seal {seal.seq} is not signed by a key of ours"
        previous, until = seals.head(seal), seal.until


def missing_ends(chain: Sequence[Any], anchored: Any, *, open_end: bool = True) -> Iterator[str]:
    if anchored is None:
        return
    seq, head = anchored
    last = chain[-1].seq if chain else 0
    if open_end and last < seq:
        yield f"seal {seq} was anchored and is gone: the chain ends with {last}"
    if any(each.seq == seq and seals.head(each).hex() != head for each in chain):
        yield f"seal {seq} is not the one that was anchored"


def bad_events(
    report: Report, practice_id: UUID, chain: Sequence[Any], wanted: Sequence[Any], *, open_end: bool, using: str
) -> Iterator[str]:
    """With an open end also those that no seal has taken yet."""
    if not wanted and not open_end:
        return
    since = wanted[0].since if wanted else chain[-1].until if chain else 0
    until = END if open_end else wanted[-1].until
    events = streamed(_EVENTS.format(practice_id=practice_id, since=since, until=until), using=using)
    event = yield from bad_sealed(report, wanted, events)
    if open_end:
        _, macs, _ = yield from _of_one_seal(report, 0, END, event, events)
        report.unsealed = len(macs)


def bad_sealed(report: Report, sealed: Iterable[Any], events: Iterator[Event]) -> Any:
    """Returns the first event after them."""
    event = next(events, None)
    for seal in sealed:
        event, macs, ids = yield from _of_one_seal(report, seal.seq, seal.until, event, events)
        if digest_of(macs) != seal.digest or len(macs) != seal.count:
            yield odd_one(seal.seq, seal.marks, macs, ids, "event")
    return event


def _of_one_seal(report: Report, seq: int, until: int, event: Event | None, events: Iterator[Event]) -> Any:
    """Returns the first event of the next seal, and hashes and ids of its own."""
    macs: list[bytes] = []
    ids: list[bytes] = []
    while event is not None and event[0] < until:
        batch, event = _batch(event, events, until)
        yield from _wrong_ones(report, seq, batch, macs)
        ids += [said[:ID_LENGTH] for _, said, _, _ in batch]
    report.events += len(macs)
    return event, macs, ids


def _batch(event: Event, events: Iterator[Event], until: int) -> tuple[list[Event], Event | None]:
    """Some thousands, with the last transaction's all, in the order of seals; and the event after them."""
    batch = [event]
    for after in events:
        if after[0] >= until or (len(batch) >= BATCH and after[0] != batch[-1][0]):
            break
        batch.append(after)
    else:
        after = None
    batch.sort()
    return batch, after


def _wrong_ones(report: Report, seq: int, batch: Sequence[Event], macs: list[bytes]) -> Iterator[str]:
    """The hot loop: a microsecond or two an event. Adds what a seal takes of each."""
    keyed = blake2b(key=hash_keys()[0], digest_size=MAC_BYTES).copy
    for _, said, stored, taken in batch:
        state = keyed()
        state.update(said)
        if state.digest() != stored:
            if not stored and seq == 1:
                taken = plain(said)
                report.adopted += 1
            elif not is_genuine(said, stored):
                yield f"event {said[:ID_LENGTH].decode()} is not as it was written"
        macs.append(taken or stored)


def bad_changes(wanted: Sequence[Any], there: Any, using: str) -> Iterator[str]:
    """Of the triggers' record, as far as it was sealed: from the seal before that held some."""
    sealed = [(each.seq, each.until, each.changes_digest, each.changes_marks) for each in wanted if each.changes_digest]
    if sealed:
        before = there.filter(seq__lt=sealed[0][0]).exclude(changes_digest=b"").last()
        rows = streamed(CHANGES.format(since=before.until if before else 0, until=sealed[-1][1]), using=using)
        yield from odd_ones(sealed, rows, "change")


def bad_rows(sealed: int, using: str) -> Iterator[str]:
    with connections[using].cursor() as cursor:
        keys = {name: randbits(63) for name in ("one", "other", "third")}
        cursor.execute(_NONE_STRAY, {**keys, "sealed": sealed})
        if cursor.fetchone() != (True,):
            cursor.execute(_STRAY, [sealed])
            if (stray := cursor.fetchone()) is not None:
                yield f"event {stray[0]}: its patients are not those it is found by"
    for model in noted_models():
        for row_id, wrong in differences(model, using=using)[:1]:
            yield f"{model._meta.label_lower} {row_id} is {wrong}: it was changed past the triggers"
