"""Events older than a practice keeps them leave the database for an archive. Their seals stay, and vouch for it.

Only whole seals leave, oldest first, and none from the first event on of a patient under a legal hold. How far a
practice's events have left is said, signed, beside the archive: without it `verify_audit` misses them.
"""

import gzip
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from uuid import UUID

import orjson
from dateutil.relativedelta import relativedelta
from django.db import connections
from django.db.models import Q
from django.utils import timezone

from audit import anchoring, archive, verifying
from audit.content import CONTENT_SQL, SEALED_SQL, is_genuine, plain
from audit.models import AuditEvent, Seal
from audit.recording import record
from audit.sums import END, Row, odd_ones, streamed
from patients.models import LegalHold, Patient
from patients.retention import retention_years
from practices.tenancy import Actor, practice_scope

ACTOR = Actor.system("retire_audit")
MOST = 100_000
"""Events of one file, more only where one seal has more."""
BATCH = 2000

_EVENTS = (
    f"SELECT xid, {CONTENT_SQL}, mac,"  # noqa: S608  # our own text, a UUID and numbers
    f" CASE WHEN access_grants <> '{{{{}}}}' THEN {SEALED_SQL} END, access_grants::text FROM audit_auditevent"
    " WHERE practice_id = '{practice_id}' AND xid >= {since} AND xid < {until} ORDER BY xid, id"
)
_FIRST_HELD = """
SELECT min(xid) FROM audit_auditevent WHERE id IN (SELECT event_id FROM audit_event_patient WHERE patient_id = ANY(%s))
"""
_NO_NEW_HOLD = "SET LOCAL lock_timeout = '1s'; LOCK TABLE patients_legalhold, practices_practicepolicy IN SHARE MODE"
"""Whoever places one before is waited for, whoever comes later waits until the batch is gone."""
_OFF = "ALTER TABLE audit_auditevent DISABLE TRIGGER append_only;" + (
    " ALTER TABLE audit_event_patient DISABLE TRIGGER append_only"
)
_GONE = """
WITH gone AS (
    DELETE FROM audit_auditevent WHERE id IN (SELECT id FROM audit_auditevent WHERE xid < %s LIMIT %s)
    RETURNING id, patient_ids
), found AS (
    DELETE FROM audit_event_patient AS e USING (SELECT id, unnest(patient_ids) AS patient_id FROM gone) AS g
    WHERE e.patient_id = g.patient_id AND e.event_id = g.id
)
SELECT count(*) FROM gone
"""
_ON = "ALTER TABLE audit_auditevent ENABLE ALWAYS TRIGGER append_only;" + (
    " ALTER TABLE audit_event_patient ENABLE ALWAYS TRIGGER append_only"
)


class NotAsSealed(ValueError):
    """What is to leave isn't what was sealed: find out why before anything leaves."""


def due(practice_id: UUID, now: datetime | None = None) -> list[Seal]:
    """The seals whose events have been kept for long enough and haven't left, oldest first."""
    seq, _ = archive.left(practice_id)
    with practice_scope(practice_id, actor=ACTOR):
        cutoff = (now or timezone.now()) - relativedelta(years=retention_years())
        return list(Seal.objects.filter(seq__gt=seq, at__lt=cutoff, until__lte=_held_from()).order_by("seq"))


def retire(practice_id: UUID, sealed: Sequence[Seal]) -> int:
    """Archives the events of these seals, says so, and deletes them, as the tables' owner. Returns how many left.

    Raises NotAsSealed before anything is changed. Interrupted after that, the next run goes on where it was. Under
    a hold that comes meanwhile what is archived already stays here as well, until a run after the hold.
    """
    for problem in verifying.verify(practice_id, anchors=anchoring.latest(), rows=False).problems:
        raise NotAsSealed(problem)
    with practice_scope(practice_id, actor=ACTOR):
        held_from = _held_from()  # once more: verifying takes its time
    for part in _parts([each for each in sealed if each.until <= held_from]):
        archive.say(practice_id, part[-1], _archive(practice_id, part))
    _, until = archive.left(practice_id)
    left = 0
    while gone := _delete(practice_id, until):
        left += gone
    if left:
        with practice_scope(practice_id, actor=ACTOR):
            record(AuditEvent.Action.EXPORT, "audit.seal", changes={"events": [left, None]}, reason="retention")
    return left


def _parts(sealed: Sequence[Seal]) -> Iterator[list[Seal]]:
    counted = 0
    numbered = []
    for each in sealed:
        numbered.append((counted // MOST, each))
        counted += each.count
    for _, group in groupby(numbered, key=lambda pair: pair[0]):
        yield [each for _, each in group]


def _archive(practice_id: UUID, part: Sequence[Seal]) -> str:
    """Returns the file's key. Read back before it counts."""
    key = archive.file_of(practice_id, part[0], part[-1])
    with TemporaryFile() as file:
        with practice_scope(practice_id, actor=ACTOR), gzip.open(file, "wb") as out:
            rows = _written(practice_id, part, out)
            wanted = [(each.seq, each.until, bytes(each.digest), bytes(each.marks)) for each in part]
            for problem in odd_ones(wanted, rows, "event"):
                raise NotAsSealed(problem)
        file.seek(0)
        written = file.read()
        file.seek(0)
        anchoring.store().save(key, file, content_type="application/gzip")
    if anchoring.store().read(key) != written:
        raise NotAsSealed(f"{key} is not what was written to it")
    return key


def _written(practice_id: UUID, part: Sequence[Seal], out: BinaryIO | Any) -> Iterator[Row]:
    """Writes each event's line on the way to being compared."""
    sql = _EVENTS.format(practice_id=practice_id, since=part[0].since, until=part[-1].until)
    for xid, said, mac, taken, grants in streamed(sql):
        if mac and not is_genuine(said, mac):
            raise NotAsSealed(f"event {said[:36].decode()} is not as it was written")
        line = [xid, said.decode(), mac.hex(), taken and taken.hex(), grants.decode()]
        out.write(orjson.dumps(line) + b"\n")
        yield xid, said[:36], taken or mac or plain(said)


def _delete(practice_id: UUID, until: int) -> int:
    """Some of them: writers wait for a batch at most. The triggers are off in this transaction alone."""
    with practice_scope(practice_id, actor=ACTOR, using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute(_NO_NEW_HOLD)
        until = min(until, _held_from("owner"))
        cursor.execute("SELECT EXISTS (SELECT FROM audit_auditevent WHERE xid < %s)", [until])
        if cursor.fetchone() != (True,):
            return 0
        cursor.execute(_OFF)
        cursor.execute(_GONE, [until, BATCH])
        (gone,) = cursor.fetchone()
        cursor.execute(_ON)
    return int(gone)


def _held_from(using: str = "default") -> int:
    """The first transaction that told of a patient under a hold, or of a chart merged with theirs; the first of all
    where the practice keeps everything.
    """
    if not retention_years(using):
        return 0
    holds = LegalHold.objects.using(using).filter(released_at=None)
    held = Patient.objects.using(using).filter(
        Q(legal_holds__in=holds) | Q(merged_into__legal_holds__in=holds) | Q(merged_from__legal_holds__in=holds)
    )
    with connections[using].cursor() as cursor:
        cursor.execute(_FIRST_HELD, [list(held.values_list("pk", flat=True).distinct())])
        (first,) = cursor.fetchone()
    return END if first is None else int(first)
