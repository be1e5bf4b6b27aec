"""Whether a practice's log is what was written: content, order, signatures, anchors, and the rows it is about."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from django.db import connections

from audit import seals
from audit.content import CONTENT_SQL, MAC_BYTES, SEALED_SQL, hash_keys, is_genuine, plain
from audit.models import Seal
from audit.replaying import differences
from audit.sealing import FORM
from audit.triggers import noted_models
from practices.tenancy import Actor, practice_scope

ACTOR = Actor.system("verify_audit")
END = (2**63 - 1).to_bytes(8, "big")
ID_LENGTH = 36

_EVENTS = (
    f"COPY (SELECT xid, mac, {CONTENT_SQL}, {SEALED_SQL} FROM audit_auditevent"  # noqa: S608  # our own text, a UUID and a number
    " WHERE practice_id = '{practice_id}' AND xid >= {since} ORDER BY xid, id) TO STDOUT (FORMAT BINARY)"
)
_STRAY = """
(SELECT id, unnest(patient_ids) FROM audit_auditevent WHERE xid < %s
    EXCEPT SELECT event_id, patient_id FROM audit_event_patient)
UNION ALL
(SELECT event_id, patient_id FROM audit_event_patient EXCEPT SELECT id, unnest(patient_ids) FROM audit_auditevent)
LIMIT 1
"""
Event = tuple[bytes, bytes, bytes, bytes]
"""xid, hash, content and what a seal takes of it, each as PostgreSQL sends it."""


@dataclass
class Report:
    """What was found in one practice. `problems` begins with the first bad event, if one is bad."""

    practice_id: UUID
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
    using: str = "default",
) -> Report:
    """Reads all of the practice's events once; with `since` those sealed from then on."""
    report = Report(practice_id)
    with practice_scope(practice_id, actor=ACTOR, using=using):
        chain = list(Seal.objects.using(using).order_by("seq"))
        links = next(_broken_links(chain), None)
        ends = next(_missing_ends(chain, anchors.get(str(practice_id))), None)
        wanted = [each for each in chain if since is None or each.at >= since]
        report.seals = len(wanted)
        events = next(_bad_events(report, chain, wanted, using), None)
        report.problems += [each for each in (events, links, ends) if each]
        if rows:
            report.problems += _bad_rows(chain[-1].until if chain else 0, using)
    return report


def _broken_links(chain: Sequence[Seal]) -> Iterator[str]:
    previous, until = seals.NOTHING, 0
    for place, seal in enumerate(chain, start=1):
        head = seals.head(seal)
        if seal.seq != place:
            yield f"seal {place} is missing"
        elif bytes(seal.previous) != previous or seal.since != until:
            yield f"seal {seal.seq} does not follow the one before"
        elif not seals.is_signed(head, bytes(seal.signature)):
            yield f"seal {seal.seq} is not signed by a key of ours"
        previous, until = head, seal.until


def _missing_ends(chain: Sequence[Seal], anchored: Any) -> Iterator[str]:
    if anchored is None:
        return
    seq, head = anchored
    if len(chain) < seq:
        yield f"seal {seq} was anchored and is gone: the chain ends with {len(chain)}"
    elif seals.head(chain[seq - 1]).hex() != head:
        yield f"seal {seq} is not the one that was anchored"


def _bad_events(report: Report, chain: Sequence[Seal], wanted: Sequence[Seal], using: str) -> Iterator[str]:
    if chain and not wanted:
        return
    events = _events(report.practice_id, wanted[0].since if wanted else 0, using)
    event = next(events, None)
    for seal in wanted:
        event, macs, ids = yield from _of_one_seal(report, seal, event, events)
        if seals.digest(macs) != bytes(seal.digest) or len(macs) != seal.count:
            yield _odd_one(seal, macs, ids)
    last = Seal(seq=0, until=2**63 - 1)
    _, macs, _ = yield from _of_one_seal(report, last, event, events)
    report.unsealed = len(macs)


def _of_one_seal(report: Report, seal: Seal, event: Event | None, events: Iterator[Event]) -> Any:
    """The hot loop: some microseconds an event. Returns the first event of the next seal, and hashes and ids."""
    key, until = hash_keys()[0], seal.until.to_bytes(8, "big")
    macs: list[bytes] = []
    ids: list[bytes] = []
    while event is not None and event[0] < until:
        _, stored, said, taken = event
        if blake2b(said, key=key, digest_size=MAC_BYTES).digest() != stored:
            if not stored and seal.seq == 1:
                taken = plain(said)
                report.adopted += 1
            elif not is_genuine(said, stored):
                yield f"event {said[:ID_LENGTH].decode()} is not as it was written"
        macs.append(taken)
        ids.append(said[:ID_LENGTH])
        event = next(events, None)
    report.events += len(macs)
    return event, macs, ids


def _odd_one(seal: Seal, macs: Sequence[bytes], ids: Sequence[bytes]) -> str:
    """Where the events begin to differ from those that were sealed."""
    size, marks = seals.MARK_BYTES, bytes(seal.marks)
    sealed = [marks[start : start + size] for start in range(0, len(marks), size)]
    pairs = zip(macs, sealed, strict=False)
    place = next((n for n, (mac, mark) in enumerate(pairs) if mac[:size] != mark), min(len(macs), len(sealed)))
    if place >= len(macs):
        after = f" after event {ids[-1].decode()}" if ids else ""
        return f"an event is gone from the end of seal {seal.seq}{after}"
    if place + 1 < len(sealed) and macs[place][:size] == sealed[place + 1]:
        return f"an event is gone from seal {seal.seq} before event {ids[place].decode()}"
    return f"event {ids[place].decode()} is not the one sealed at place {place + 1} of seal {seal.seq}"


def _events(practice_id: UUID, since: int, using: str) -> Iterator[Event]:
    with connections[using].cursor() as cursor:
        cursor.execute(FORM)
        with cursor.copy(_EVENTS.format(practice_id=practice_id, since=since)) as copy:
            try:
                yield from copy.rows()
            finally:
                for _ in copy:
                    """Left early, psycopg would cancel the statement, and with it the transaction."""


def _bad_rows(sealed: int, using: str) -> Iterator[str]:
    with connections[using].cursor() as cursor:
        cursor.execute(_STRAY, [sealed])
        if (stray := cursor.fetchone()) is not None:
            yield f"event {stray[0]}: its patients are not those it is found by"
    for model in noted_models():
        for row_id, wrong in differences(model, using=using)[:1]:
            yield f"{model._meta.label_lower} {row_id} is {wrong}: it was changed past the triggers"
