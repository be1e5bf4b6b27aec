import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from integrations.events import log
from integrations.events.record import merged
from integrations.models import EventLog
from patients.models import ContactPoint, Patient
from practices.models import Practice, new_id
from practices.tenancy import Actor, practice_scope

BY = Actor.system("tests")


def add_patient(name: str = "Ada", **fields: Any) -> Patient:
    patient: Patient = Patient.objects.create(given_name=name, family_name="Vale", **fields)
    return patient


def add_then_fail() -> None:
    add_patient("Undone")
    raise ZeroDivisionError


def events(practice: Practice) -> list[log.Event]:
    with practice_scope(practice, actor=BY):
        return log.read(after=0, limit=1000)


def short(practice: Practice) -> list[tuple[int, str, int]]:
    return [(event.seq, event.type, event.version) for event in events(practice)]


def test_changes_are_logged_when_their_scope_ends(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        patient = add_patient()
        patient_id = patient.pk
        assert EventLog.objects.count() == 0
    with practice_scope(practice, actor=BY):
        patient.family_name = "Dale"
        patient.save()
    with practice_scope(practice, actor=BY):
        patient.delete()
    assert short(practice) == [(1, "patient.created", 1), (2, "patient.updated", 2), (3, "patient.deleted", 2)]
    assert {event.entity_id for event in events(practice)} == {patient_id}


def test_bulk_changes_are_logged_row_by_row_with_their_versions(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        Patient.objects.bulk_create([Patient(given_name=name, family_name="Vale") for name in ("Ada", "Bo")])
    with practice_scope(practice, actor=BY):
        Patient.objects.filter(given_name="Bo").update(pronouns="they")
        Patient.objects.filter(given_name="Ada").delete()
    assert short(practice) == [
        (1, "patient.created", 1),
        (2, "patient.created", 1),
        (3, "patient.updated", 2),
        (4, "patient.deleted", 1),
    ]


def test_change_of_what_a_patient_object_shows_is_a_change_of_the_patient(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        patient = add_patient()
        contact = ContactPoint.objects.create(patient=patient, kind="phone", value="+15550100001")
    with practice_scope(practice, actor=BY):
        patient.pronouns = "she"
        patient.save()
        contact.delete()
    with practice_scope(practice, actor=BY):
        ContactPoint.objects.bulk_create([ContactPoint(patient=patient, kind="phone", value="+15550100002")])
    with practice_scope(practice, actor=BY):
        ContactPoint.objects.update(rank=2)
    assert short(practice) == [
        (1, "patient.created", 1),
        (2, "patient.updated", 2),
        (3, "patient.updated", 2),
        (4, "patient.updated", 2),
    ]


def test_row_changed_twice_in_a_transaction_is_one_event(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        patient = add_patient()
        patient.pronouns = "she"
        patient.save()
        add_patient("Bo").delete()
    assert short(practice) == [(1, "patient.created", 2)]


def test_what_a_savepoint_undid_is_no_event(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            add_then_fail()
        kept = add_patient("Kept")
    assert [event.entity_id for event in events(practice)] == [kept.pk]


def test_rolled_back_scope_leaves_no_gap(practice: Practice) -> None:
    with pytest.raises(ZeroDivisionError), practice_scope(practice, actor=BY):
        add_then_fail()
    with practice_scope(practice, actor=BY):
        add_patient()
        transaction.set_rollback(True)
    with practice_scope(practice, actor=BY):
        add_patient()
    assert short(practice) == [(1, "patient.created", 1)]


def test_scope_inside_a_scope_logs_each_change_once(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        add_patient("Outer")
        with practice_scope(practice, actor=BY):
            add_patient("Inner")
    assert [seq for seq, *_ in short(practice)] == [1, 2]


def test_each_practice_counts_for_itself(practice: Practice, other_practice: Practice) -> None:
    for here in (practice, other_practice, practice):
        with practice_scope(here, actor=BY):
            add_patient()
    assert [event.seq for event in events(practice)] == [1, 2]
    assert [event.seq for event in events(other_practice)] == [1]


def test_logging_costs_one_statement_however_many_rows(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        with CaptureQueriesContext(connection) as one:
            log.append(practice.pk, [log.Change("patient.updated", new_id(), 1)])
        with CaptureQueriesContext(connection) as many:
            log.append(practice.pk, [log.Change("patient.updated", new_id(), 1) for _ in range(300)])
        assert (len(one), len(many)) == (1, 1)
        assert log.last_seq() == 301


def test_later_changes_of_a_row_replace_earlier_ones() -> None:
    row, other = new_id(), new_id()
    created, updated = log.Change("patient.created", row, 1), log.Change("patient.updated", row, 2)
    deleted = log.Change("patient.deleted", row, 2)
    elsewhere = log.Change("patient.updated", other, 7)
    assert merged([created, updated, elsewhere]) == [log.Change("patient.created", row, 2), elsewhere]
    assert merged([updated, elsewhere, deleted]) == [elsewhere, deleted]
    assert merged([created, updated, deleted, elsewhere]) == [elsewhere]
    part = log.Change("patient.updated", row, None)
    assert merged([created, part]) == [created]
    assert merged([part, updated, part]) == [updated]


@pytest.mark.parametrize("roles", [[role] for role in Role.values] + [[], ["stranger"]])
def test_rule_in_memory_and_rule_in_sql_agree(practice: Practice, roles: list[str]) -> None:
    with practice_scope(practice, actor=BY):
        add_patient()
        add_patient("Hidden", restricted=True)
        log.append(practice.pk, [log.Change(f"{kind}.updated", new_id(), 1) for kind in ("appointment", "invoice")])
    with practice_scope(practice, actor=BY):
        in_sql = list(EventLog.objects.heard_by(Actor.user(new_id(), tuple(roles))).values_list("seq", flat=True))
        read = log.read(after=0, limit=10)
    in_memory = [event.seq for event in read if event.visible_to(roles) and not event.hides_from(roles)]
    assert in_sql == in_memory
    known = not set(Role.values).isdisjoint(roles)
    sees_restricted = not {"owner", "admin"}.isdisjoint(roles)
    assert len(in_sql) == known * (2 + sees_restricted)


@pytest.mark.django_db(transaction=True)
def test_reader_misses_nothing_when_transactions_commit_out_of_order(practice: Practice) -> None:
    """Writers hold their transaction open for a while, before and after they were given their number."""
    writers, each = 6, 8
    done = threading.Event()

    def write(writer: int) -> None:
        wait = random.Random(writer)  # noqa: S311  # any spread will do
        for _ in range(each):
            with practice_scope(practice, actor=BY):
                add_patient()
                time.sleep(wait.random() * 0.02)
                if writer % 2:  # some are numbered early and keep the others waiting
                    log.append(practice.pk, [log.Change("appointment.updated", new_id(), 1)])
                    time.sleep(wait.random() * 0.02)
        connection.close()

    def follow() -> list[int]:
        seen: list[int] = []
        while True:
            last = done.is_set()
            with practice_scope(practice, actor=BY):
                found = [event.seq for event in log.read(after=seen[-1] if seen else 0, limit=1000)]
            seen += found
            if last and not found:
                connection.close()
                return seen

    with ThreadPoolExecutor(writers + 1) as pool:
        reader = pool.submit(follow)
        list(pool.map(write, range(writers)))
        done.set()
        seen = reader.result()
    assert seen == list(range(1, writers * each + writers // 2 * each + 1))


def rival_deletes(practice: Practice, patient: Patient, deleted: threading.Event, go: threading.Event) -> None:
    with practice_scope(practice, actor=BY):
        Patient.objects.filter(pk=patient.pk).delete()
        deleted.set()
        go.wait(5)
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_counter_is_not_held_while_a_deferred_key_waits(practice: Practice, run_in_thread: Callable[..., Any]) -> None:
    """Else: we hold the counter and wait for the row, the other holds the row and waits for the counter."""
    with practice_scope(practice, actor=BY):
        survivor, victim = add_patient("Survivor"), add_patient("Victim")
    deleted, go = threading.Event(), threading.Event()
    rival = run_in_thread(rival_deletes, practice, victim, deleted, go)
    assert deleted.wait(5)
    timer = threading.Timer(0.3, go.set)
    timer.start()
    survivor.merged_into, survivor.status = victim, "merged"
    with pytest.raises(IntegrityError), practice_scope(practice, actor=BY):
        survivor.save()
    rival.result(5)
    assert [event.type for event in events(practice)][-1] == "patient.deleted"
