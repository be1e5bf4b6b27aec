"""Whether a practice's log is what was written: content, order, signatures, anchors, and the rows it is about."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from django.db import connections

from audit import archive, seals
from audit.content import CONTENT_SQL, MAC_BYTES, SEALED_SQL, hash_keys, is_genuine, plain
from audit.models import PlatformSeal, Seal
from audit.replaying import differences
from audit.sums import CHANGES, END, PLATFORM_EVENTS, digest_of, odd_one, odd_ones, streamed
from audit.triggers import noted_models
from practices.tenancy import Actor, platform_scope, practice_scope

ACTOR = Actor.system("verify_audit")
COLUMNS = (
    *("practice_id", "seq", "since", "until", "count", "digest", "marks", "changes_digest", "changes_marks"),
    *("previous", "signature", "at"),
)
ID_LENGTH = 36

_EVENTS = (
    f"SELECT xid, {CONTENT_SQL}, mac,"  # noqa: S608  # our own text, a UUID and a number
    f" CASE WHEN access_grants <> '{{{{}}}}' THEN {SEALED_SQL} END FROM audit_auditevent"
    " WHERE practice_id = '{practice_id}' AND xid >= {since} ORDER BY xid"
)
"""Those of one transaction as they come: sorting them here is cheaper."""
_STRAY = """
SELECT coalesce(told.id, found.event_id)
FROM (SELECT id, xid, unnest(patient_ids) AS patient_id FROM audit_auditevent) AS told
    FULL JOIN audit_event_patient AS found ON found.event_id = told.id AND found.patient_id = told.patient_id
WHERE told.id IS NULL OR (found.event_id IS NULL AND told.xid < %s) LIMIT 1
"""
Event = tuple[bytes, bytes, bytes, bytes | None]
"""xid, content, hash and, with grants, what a seal takes in its place; each as PostgreSQL sends it.

Of one practice they sort as seals take them, since the content begins with the id.
"""
BATCH = 5000


@dataclass
class Report:
    """What was found in one practice. `problems` begins with the first bad event, if one is bad."""

    practice_id: UUID | str
    events: int = 0
    seals: int = 0
    unsealed: int = 0
    adopted: int = 0
    """From before events had a hash: as they were found when the first seal was made."""
    problems: list[str] = field(default_factory=list)


def verify(
    practice_id: UUID,
    *,
    anchors: Mapping[str, Any],
    since: datetime | None = None,
    rows: bool = True,
    archived: bool = False,
    using: str = "default",
) -> Report:
    """Reads all of the practice's events once, with `archived` those that have left, too; with `since` those sealed
    from then on.
    """
    report = Report(practice_id)
    left, _ = archive.left(practice_id)
    with practice_scope(practice_id, actor=ACTOR, using=using):
        chain = list(Seal.objects.using(using).order_by("seq").values_list(*COLUMNS, named=True))
        wanted = [each for each in chain if since is None or each.at >= since]
        report.seals = len(wanted)
        there = [each for each in wanted if each.seq > left]
        events = next(_bad_events(report, chain, there, using), None)
        if archived and events is None:
            gone = [each for each in chain if each.seq <= left]
            events = next(_bad_sealed(report, gone, archive.events(practice_id)), None)
        links = next(_broken_links(chain, _unsigned(chain)), None)
        ends = next(_missing_ends(chain, anchors.get(str(practice_id))), None)
        changes = next(_bad_changes(chain, wanted, using), None)
        report.problems += [each for each in (events, links, ends, changes) if each]
        if rows:
            report.problems += _bad_rows(chain[-1].until if chain else 0, using)
    return report


def verify_platform(*, anchors: Mapping[str, Any], using: str = "default") -> Report:
    """The same of the platform's own log, and of what was changed outside any practice."""
    report = Report(PlatformSeal.practice_id)
    with platform_scope(actor=ACTOR, using=using):
        chain = list(PlatformSeal.objects.using(using).order_by("seq"))
        rows = list(streamed(PLATFORM_EVENTS.format(since=0, until=END), using=using))
        sealed = chain[-1].until.to_bytes(8, "big") if chain else b""
        report.events, report.seals = len(rows), len(chain)
        report.unsealed = sum(xid >= sealed for xid, _, _ in rows)
        wanted = [(each.seq, each.until, bytes(each.digest), bytes(each.marks)) for each in chain]
        found = (
            odd_ones(wanted, iter(rows), "event"),
            _broken_links(chain, _unsigned(chain)),
            _missing_ends(chain, anchors.get(PlatformSeal.practice_id)),
            _bad_changes(chain, chain, using),
        )
        report.problems += [problem for each in found if (problem := next(each, None))]
    return report


def _unsigned(chain: Sequence[Any]) -> set[int]:
    """Numbers of seals. A tenth of a millisecond each, so on all cores: OpenSSL needs no lock of Python's."""
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        return set().union(*pool.map(_unsigned_of, [chain[start::threads] for start in range(threads)]))


def _unsigned_of(chain: Sequence[Any]) -> set[int]:
    return {seal.seq for seal in chain if not seals.is_signed(seals.head(seal), seal.signature)}


def _broken_links(chain: Sequence[Any], unsigned: Collection[int]) -> Iterator[str]:
    previous, until = seals.NOTHING, 0
    for place, seal in enumerate(chain, start=1):
        if seal.seq != place:
            yield f"seal {place} is missing"
        elif seal.previous != previous or seal.since != until:
            yield f"seal {seal.seq} does not follow the one before"
        elif seal.seq in unsigned:
            yield f"seal {seal.seq} is not signed by a key of ours"
        previous, until = seals.head(seal), seal.until


def _missing_ends(chain: Sequence[Any], anchored: Any) -> Iterator[str]:
    if anchored is None:
        return
    seq, head = anchored
    if len(chain) < seq:
        yield f"seal {seq} was anchored and is gone: the chain ends with {len(chain)}"
    elif seals.head(chain[seq - 1]).hex() != head:
        yield f"seal {seq} is not the one that was anchored"


def _bad_events(report: Report, chain: Sequence[Any], wanted: Sequence[Any], using: str) -> Iterator[str]:
    since = wanted[0].since if wanted else chain[-1].until if chain else 0
    events = streamed(_EVENTS.format(practice_id=report.practice_id, since=since), using=using)
    event = yield from _bad_sealed(report, wanted, events)
    _, macs, _ = yield from _of_one_seal(report, 0, END, event, events)
    report.unsealed = len(macs)


def _bad_sealed(report: Report, sealed: Sequence[Any], events: Iterator[Event]) -> Any:
    """Returns the first event after them."""
    event = next(events, None)
    for seal in sealed:
        event, macs, ids = yield from _of_one_seal(report, seal.seq, seal.until, event, events)
        if digest_of(macs) != seal.digest or len(macs) != seal.count:
            yield odd_one(seal.seq, seal.marks, macs, ids, "event")
    return event


def _of_one_seal(report: Report, seq: int, until: int, event: Event | None, events: Iterator[Event]) -> Any:
    """Returns the first event of the next seal, and hashes and ids of its own."""
    end = until.to_bytes(8, "big")
    macs: list[bytes] = []
    ids: list[bytes] = []
    while event is not None and event[0] < end:
        batch, event = _batch(event, events, end)
        yield from _wrong_ones(report, seq, batch, macs)
        ids += [said[:ID_LENGTH] for _, said, _, _ in batch]
    report.events += len(macs)
    return event, macs, ids


def _batch(event: Event, events: Iterator[Event], end: bytes) -> tuple[list[Event], Event | None]:
    """Some thousands, with the last transaction's all, in the order of seals; and the event after them."""
    batch = [event]
    for after in events:
        if after[0] >= end or (len(batch) >= BATCH and after[0] != batch[-1][0]):
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


def _bad_changes(chain: Sequence[Any], wanted: Sequence[Any], using: str) -> Iterator[str]:
    """Of the triggers' record, as far as it was sealed: from the seal before that held some."""
    sealed = [(each.seq, each.until, each.changes_digest, each.changes_marks) for each in wanted if each.changes_digest]
    if sealed:
        before = [each.until for each in chain if each.changes_digest and each.seq < sealed[0][0]]
        rows = streamed(CHANGES.format(since=before[-1] if before else 0, until=END), using=using)
        yield from odd_ones(sealed, rows, "change")


def _bad_rows(sealed: int, using: str) -> Iterator[str]:
    with connections[using].cursor() as cursor:
        cursor.execute(_STRAY, [sealed])
        if (stray := cursor.fetchone()) is not None:
            yield f"event {stray[0]}: its patients are not those it is found by"
    for model in noted_models():
        for row_id, wrong in differences(model, using=using)[:1]:
            yield f"{model._meta.label_lower} {row_id} is {wrong}: it was changed past the triggers"
