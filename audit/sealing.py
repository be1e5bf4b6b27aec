"""Chains a practice's events into signed seals, a moment after they were written, so that no writer waits for another.

A seal takes all events of transactions from `since` up to below `until`, the oldest transaction still running: whatever
these will ever hold is there. By time or by id, one that commits late would be passed over.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast
from uuid import UUID

import structlog
from django.db import IntegrityError, connection
from django.utils import timezone

from audit import seals
from audit.anchoring import Head
from audit.content import CONTENT_SQL, SEALED_SQL, plain
from audit.models import PlatformSeal, Seal, SealFields
from audit.reconciling import raise_unattributed
from audit.sums import CHANGES, PLATFORM_EVENTS, Sum, hashes, streamed, sum_of, summed
from audit.triggers import audited_entities
from practices.tenancy import Actor, platform_scope, practice_scope

logger = structlog.get_logger(__name__)
ACTOR = Actor.system("audit")
LEADER = 0x5EA1
"""The advisory lock of whoever seals; others leave it to them."""

HORIZON = "SELECT audit_horizon()"
_MACS = (
    f"SELECT {SEALED_SQL}, CASE WHEN mac = '' THEN {CONTENT_SQL} END FROM audit_auditevent"  # noqa: S608  # our own text, a UUID and numbers
    " WHERE practice_id = '{practice_id}' AND xid >= {since} AND xid < {until} ORDER BY xid, id"
)
_PATIENTS = """
INSERT INTO audit_event_patient (practice_id, patient_id, event_id)
SELECT practice_id, unnest(patient_ids) AS patient_id, id FROM audit_auditevent
WHERE practice_id = %s AND xid >= %s AND xid < %s ORDER BY patient_id, id
"""
"""Here and not with the event: for a page of 50 patients it takes as long as the event itself."""
_UNLESS_THERE = " ON CONFLICT DO NOTHING"
"""Takes half as long again, so it is only said where it failed without: of events that are in the table already."""
_UNSEALED = "SELECT * FROM audit_unsealed(%s, %s, %s)"
MANY = 100_000
"""Events of which a seal is made in memory; more, after a long pause, are read page by page."""
_COLUMNS = [field.attname for field in Seal._meta.concrete_fields]
_KEEP = f"INSERT INTO audit_seal ({', '.join(_COLUMNS)}) VALUES ({', '.join(['%s'] * len(_COLUMNS))});{_PATIENTS}"  # noqa: S608  # our own names
_PLATFORM_WAITS = """
SELECT ends < sealed OR EXISTS (SELECT FROM audit_platformauditevent WHERE xid >= sealed AND xid < ends)
    OR EXISTS (SELECT FROM audit_changes_hashed(sealed, ends))
FROM (
    SELECT audit_horizon() AS ends,
        coalesce((SELECT until FROM audit_platformseal ORDER BY seq DESC LIMIT 1), 0) AS sealed
) AS chain
"""
"""Mostly nothing does, each second."""
_LATE = (
    "SELECT EXISTS (SELECT FROM audit_auditevent"
    " WHERE practice_id = %s AND mac = '' AND xid > 0 AND at > now() - interval '10 minutes')"
)


class Found(NamedTuple):
    """What `audit_unsealed` answers: of the last seal, and of what came after it."""

    leads: bool
    horizon: int
    seq: int | None
    since: int
    until: int
    events: int
    digest: bytes
    previous: bytes
    changes_digest: bytes
    counted: int | None
    """None where events have to be read one by one: for the first seals, and where one has no hash."""
    hashes: bytes
    changes: bytes
    unattributed: bool | None


def seal_all() -> int:
    """Whatever is ready in any practice. Returns the number of seals made."""
    with platform_scope(actor=ACTOR), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM audit_pending(%s)", [audited_entities()])
        waiting = [practice_id for (practice_id,) in cursor.fetchall()]
    return sum(_sealed(practice_id) for practice_id in waiting)


def _sealed(practice_id: UUID) -> bool:
    """One that can't be sealed doesn't stop the others."""
    try:
        try:
            return seal(practice_id)
        except IntegrityError:
            return seal(practice_id, some_are_there=True)
    except Exception:
        logger.exception("audit_sealing_failed", practice_id=str(practice_id))
        return False


def seal_platform() -> bool:
    """The platform's own log and what was changed outside any practice; as `seal`."""
    with platform_scope(actor=ACTOR):
        if not _ask(_PLATFORM_WAITS) or not _ask("SELECT pg_try_advisory_xact_lock(%s)", LEADER):
            return False
        last = PlatformSeal.objects.order_by("-seq").first()
        since, until = (last.until if last else 0), _ask(HORIZON)
        if until < since:
            logger.error("audit_clock_went_back", practice_id="platform")
            return False
        events = summed(hashes(PLATFORM_EVENTS, since, until))
        changes = summed(hashes(CHANGES, _changes_since(last, since), until))
        if not events.count and not changes.count:
            return False
        made = PlatformSeal()
        _fill(made, last, since, until, events, changes)
        made.save(force_insert=True)
    return True


def seal(practice_id: UUID, *, some_are_there: bool = False) -> bool:
    """In one transaction. False when there is nothing to seal, or somebody else is sealing.

    Raises IntegrityError where some of the events can be found by their patients already, unless told so.
    """
    ask = (_UNSEALED, [LEADER, audited_entities(), MANY + 1])
    with practice_scope(practice_id, actor=ACTOR, ask=ask) as scope:
        found = Found(*(scope.opened or ()))
        if not found.leads:
            return False
        last = _last(practice_id, found)
        since, until = (last.until if last else 0), found.horizon
        if until < since:
            logger.error("audit_clock_went_back", practice_id=str(practice_id))  # restored: migrate sets it right
            return False
        if last is None and _ask(_LATE, practice_id):
            return False  # processes of the release before this one still write events without a hash
        raised = raise_unattributed(since=since, until=until) if found.unattributed is not False else 0
        if found.counted is None or found.counted > MANY:
            events = summed(_macs(practice_id, since, until))
            changes = summed(hashes(CHANGES, _changes_since(last, since), until))
        else:
            events, changes = sum_of(found.hashes), sum_of(found.changes)
        if not events.count and not raised:
            return False
        made = Seal(practice_id=practice_id)
        _fill(made, last, since, until, events, changes)
        values = [getattr(made, column) for column in _COLUMNS]
        keep = _KEEP + _UNLESS_THERE if some_are_there else _KEEP
        connection.end_with(keep, [*values, practice_id, since, until])  # type: ignore[attr-defined]  # our own backend's
    return True


def _last(practice_id: UUID, found: Found) -> Seal | None:
    if found.seq is None:
        return None
    names = ("seq", "since", "until", "count", "digest", "previous", "changes_digest")
    return Seal(practice_id=practice_id, **dict(zip(names, found[2:9], strict=True)))


def _macs(practice_id: UUID, since: int, until: int) -> Iterator[bytes]:
    """Those from before events had one are sealed by their content."""
    for stored, said in streamed(_MACS.format(practice_id=practice_id, since=since, until=until)):
        yield stored if said is None else plain(said)


def _changes_since(last: Any, since: int) -> int:
    """The first seal that holds changes takes those from before, too, as they are found."""
    if last is None or last.changes_digest:
        return since
    holding = type(last).objects.exclude(changes_digest=b"").order_by("-seq").first()
    return holding.until if holding else 0


def _fill(made: SealFields, last: SealFields | None, since: int, until: int, events: Sum, changes: Sum) -> None:
    made.seq = last.seq + 1 if last else 1
    made.since, made.until = since, until
    made.count, made.digest, made.marks = events.count, events.digest, events.marks
    made.changes_digest, made.changes_marks = changes.digest, changes.marks
    made.previous = seals.head(cast(seals.Sealed, last)) if last else seals.NOTHING
    made.at = timezone.now()
    made.signature = seals.sign(seals.head(cast(seals.Sealed, made)))


def heads() -> Iterator[Head]:
    """Of every chain."""
    with platform_scope(actor=ACTOR), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM practices_practice ORDER BY id")
        practices = [practice_id for (practice_id,) in cursor.fetchall()]
        platform = PlatformSeal.objects.order_by("-seq").first()
    if platform is not None:
        yield PlatformSeal.practice_id, platform.seq, seals.head(cast(seals.Sealed, platform))
    for practice_id in practices:
        with practice_scope(practice_id, actor=ACTOR):
            last = Seal.objects.order_by("-seq").first()
        if last is not None:
            yield practice_id, last.seq, seals.head(last)


def _ask(sql: str, *parameters: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        (answer,) = cursor.fetchone()
    return answer
