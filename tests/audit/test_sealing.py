"""Seals take every event once, whenever its transaction commits and however many write at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction

from audit import anchoring, clock, sealing
from audit.checking import Report
from audit.models import AuditEvent, Seal
from audit.querysets import AppendOnly
from audit.recording import record
from audit.verifying import verify
from practices.models import Location, Practice
from practices.tenancy import Actor, practice_scope
from tests.audit.horizon import settle
from tests.rows import SETUP

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
BY = Actor.system("tests")
WRITERS, SECONDS = 8, 2.0


def write(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        Location.objects.create(name=uuid4().hex)


def seal_all() -> int:
    settle()
    return sealing.seal_all()


def chain(practice: Practice) -> list[Seal]:
    with practice_scope(practice, actor=SETUP):
        return list(Seal.objects.order_by("seq"))


def checked(practice: Practice) -> Report:
    return verify(practice.pk, anchors={})


def in_thread(work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_seals_follow_each_other_and_leave_nothing_out(practice: Practice, other_practice: Practice) -> None:
    seal_all()
    write(practice)
    write(practice)
    assert seal_all() == 1
    write(practice)
    write(other_practice)
    assert seal_all() == 2
    assert seal_all() == 0
    found = chain(practice)
    assert [(seal.seq, seal.count) for seal in found][-2:] == [(len(found) - 1, 2), (len(found), 1)]
    assert (checked(practice).problems, checked(practice).unsealed) == ([], 0)
    assert checked(other_practice).problems == []


def test_event_that_commits_late_is_in_a_later_seal(practice: Practice) -> None:
    began, may_end = threading.Event(), threading.Event()

    def late() -> None:
        with practice_scope(practice, actor=BY):
            Location.objects.create(name="late")
            began.set()
            may_end.wait(20)

    thread = in_thread(late)
    assert began.wait(20)
    write(practice)  # a later transaction that ends first: the older one holds its seal back
    sealing.seal_all()
    assert checked(practice).unsealed >= 1
    may_end.set()
    thread.join()
    seal_all()
    report = checked(practice)
    assert (report.problems, report.unsealed) == ([], 0)
    with practice_scope(practice, actor=SETUP):
        assert sum(seal.count for seal in Seal.objects.all()) == AuditEvent.objects.count()


def test_only_one_seals_at_a_time(practice: Practice) -> None:
    write(practice)
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [sealing.LEADER])
        settle()
        assert sealing.seal_all() == 0
    assert seal_all() == 1


def test_change_without_event_is_raised_once_and_sealed(practice: Practice) -> None:
    write(practice)
    seal_all()
    with practice_scope(practice, actor=BY), connection.cursor() as cursor:
        cursor.execute("UPDATE practices_location SET city = 'Raw'")
    for _ in range(3):
        seal_all()
    with practice_scope(practice, actor=SETUP):
        assert AuditEvent.objects.filter(action="unattributed").count() == 1
    assert (checked(practice).problems, checked(practice).unsealed) == ([], 0)


def test_events_from_before_sealing_are_sealed_as_they_are(practice: Practice) -> None:
    write(practice)
    with practice_scope(practice, actor=SETUP, using="owner"), connections["owner"].cursor() as cursor:
        columns = [str(field.column) for field in AuditEvent._meta.concrete_fields]
        cursor.execute("SELECT id FROM audit_auditevent LIMIT 1")
        (event,) = cursor.fetchone()
        names = ", ".join(columns)
        picked = names.replace("id,", "gen_random_uuid(),", 1)
        for xid in ("0", "audit_transaction()"):
            copy = f"INSERT INTO audit_auditevent ({names}, xid) SELECT {picked}, {xid} FROM audit_auditevent"
            cursor.execute(f"{copy} WHERE id = %s", [event])
    assert seal_all() == 0  # somebody still writes events without a hash
    with practice_scope(practice, actor=SETUP, using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER append_only")
        cursor.execute("UPDATE audit_auditevent SET at = at - interval '1 hour' WHERE mac = ''")
        cursor.execute("ALTER TABLE audit_auditevent ENABLE ALWAYS TRIGGER append_only")
    assert seal_all() == 1
    report = checked(practice)
    assert (report.adopted, report.unsealed) == (2, 0)
    assert [problem for problem in report.problems if "patients" not in problem] == []


def test_event_that_is_found_by_its_patient_already_is_sealed_all_the_same(practice: Practice) -> None:
    """As by whoever has the runtime login and wants to stop the seals."""
    write(practice)
    assert seal_all() == 1
    patient = uuid4()
    with practice_scope(practice, actor=BY):
        record("read", "patients.patient", patient_ids=[patient, uuid4(), patient])
    with practice_scope(practice, actor=BY), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_event_patient SELECT practice_id, %s, id FROM audit_auditevent"
            " WHERE patient_ids @> ARRAY[%s]",
            [patient, patient],
        )
    assert seal_all() == 1
    assert (checked(practice).problems, checked(practice).unsealed) == ([], 0)


def test_seals_are_never_changed(practice: Practice) -> None:
    write(practice)
    seal_all()
    seal = chain(practice)[0]
    for change in (seal.save, seal.delete):
        with pytest.raises(AppendOnly):
            change()


def test_heads_are_anchored_when_they_move(practice: Practice, settings: Any, tmp_path: Any) -> None:
    settings.STATE_DIR = tmp_path
    assert anchoring.latest() == {}
    write(practice)
    seal_all()
    assert anchoring.anchor(sealing.heads())
    assert not anchoring.anchor(sealing.heads())
    assert verify(practice.pk, anchors=anchoring.latest()).problems == []
    kept = list((tmp_path / "files" / anchoring.FOLDER).rglob("*.json"))
    assert len(kept) == 2


def test_transactions_of_a_restored_database_come_after_the_old_ones(practice: Practice) -> None:
    write(practice)
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SELECT audit_transaction()")
        (before,) = cursor.fetchone()
        clock.set_clock("owner")
        cursor.execute("SELECT audit_transaction()")
        assert cursor.fetchone() == (before,)
        cursor.execute(
            "INSERT INTO audit_change (practice_id, entity, operation, row_ids, hashes, request_id, xid)"
            " VALUES (%s, 'cluster', 'B', '{}', '{}', 'another', 5000000000)",
            [practice.pk],
        )
        clock.set_clock("owner")
        cursor.execute("SELECT audit_transaction(), audit_horizon()")
        assert min(cursor.fetchone()) > 5_000_000_000
        transaction.set_rollback(True, using="owner")


def test_many_writers_in_one_practice(practice: Practice) -> None:
    """No fork, no false alarm, and nothing waits long. By hand with 64 writers for a minute: docs/decisions."""
    done = threading.Event()

    def keep_writing() -> None:
        while not done.is_set():
            write(practice)

    writers = [in_thread(keep_writing) for _ in range(WRITERS)]
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        sealing.seal_all()
        assert checked(practice).problems == []
    done.set()
    for writer in writers:
        writer.join()
    seal_all()
    report = checked(practice)
    assert (report.problems, report.unsealed) == ([], 0)
    with practice_scope(practice, actor=SETUP):
        assert sum(seal.count for seal in Seal.objects.all()) == AuditEvent.objects.count() > WRITERS
        assert not AuditEvent.objects.filter(action="unattributed").exists()
