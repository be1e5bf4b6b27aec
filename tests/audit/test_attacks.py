"""Whoever owns the database, but not the keys, changes the log: it is found every time, and the first bad event named.

AUDIT_ATTACKS=100 tries each attack as often, at other places each time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction

from audit import anchoring, sealing, structure, verifying
from audit.checking import Report
from audit.content import CONTENT_SQL, MAC_BYTES
from audit.models import AuditEvent, PlatformSeal, Seal
from audit.recording import record
from audit.seals import head
from audit.verifying import verify, verify_platform
from practices.constraints import ACTIVE_PRACTICE_SQL
from practices.models import Location, Practice
from practices.services import create_practice
from practices.tenancy import Actor, platform_scope, practice_scope
from tests.audit.horizon import overlook_others, settle
from tests.rows import SETUP

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])
TIMES = int(os.environ.get("AUDIT_ATTACKS", "3"))
BY = Actor.system("tests")


@pytest.fixture
def sealed(tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Practice:
    """A practice with some dozens of events in six seals, anchored."""
    settings.STATE_DIR = tmp_path
    overlook_others(monkeypatch)
    practice = create_practice(by=SETUP, slug="cedar", name="Cedar", time_zone="UTC")
    for group in range(6):
        for number in range(5):
            with practice_scope(practice, actor=BY):
                place = Location.objects.create(name=f"{group}.{number}")
            with practice_scope(practice, actor=BY):
                place.city = "Troy"
                place.save()
                record("read", "patients.patient", patient_ids=[uuid4()])
        assert sealing.seal(practice.pk)
    assert anchoring.anchor(sealing.heads())
    return practice


class Attacker:
    """The owner of the tables, who has switched off what refuses changes, and switches it on again."""

    def __init__(self, practice: Practice, random: Random) -> None:
        self.practice, self.random = practice, random
        with connections["owner"].cursor() as cursor:
            for table in ("audit_auditevent", "audit_event_patient", "audit_seal", "practices_location"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER, NO FORCE ROW LEVEL SECURITY")

    def ask(self, sql: str, *parameters: Any) -> list[Any]:
        with connections["owner"].cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def cover_up(self) -> None:
        self.ask("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("audit_auditevent", "audit_event_patient", "audit_seal", "practices_location"):
            self.ask(f"ALTER TABLE {table} ENABLE TRIGGER USER, FORCE ROW LEVEL SECURITY")
            for (name,) in self.ask(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", table
            ):
                if not (name == "append_only_truncate" and table != "audit_event_patient"):  # off in all tests
                    self.ask(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")

    def events(self) -> list[UUID]:
        rows = self.ask("SELECT id FROM audit_auditevent WHERE practice_id = %s ORDER BY xid, id", self.practice.pk)
        return [event_id for (event_id,) in rows]

    def any_event(self) -> UUID:
        return self.random.choice(self.events())


def edit(by: Attacker) -> UUID | None:
    column = by.random.choice(["actor_label", "action", "entity", "reason", "operation", "request_id"])
    event = by.any_event()
    by.ask(f"UPDATE audit_auditevent SET {column} = 'x' WHERE id = %s", event)
    return event


def claim_a_grant(by: Attacker) -> UUID | None:
    """An access without a reason gets one."""
    event = by.any_event()
    by.ask("UPDATE audit_auditevent SET access_grants = ARRAY[gen_random_uuid()] WHERE id = %s", event)
    return event


def delete_first(by: Attacker) -> UUID | None:
    first, second, *_ = by.events()
    by.ask("DELETE FROM audit_auditevent WHERE id = %s", first)
    return second


def delete_middle(by: Attacker) -> UUID | None:
    by.ask("DELETE FROM audit_auditevent WHERE id = %s", by.random.choice(by.events()[1:-1]))
    return None


def delete_last(by: Attacker) -> UUID | None:
    *_, before, last = by.events()
    by.ask("DELETE FROM audit_auditevent WHERE id = %s", last)
    return before


def reorder(by: Attacker) -> UUID | None:
    """Two events change places in time, or in the order of transactions, which their hashes don't cover."""
    column = by.random.choice(["at", "xid"])
    one, other = by.random.sample(by.events(), 2)
    by.ask(
        f"UPDATE audit_auditevent AS e SET {column} = o.{column} FROM audit_auditevent AS o"
        " WHERE (e.id, o.id) IN ((%s, %s), (%s, %s))",
        *(one, other, other, one),
    )
    return None


def insert(by: Attacker) -> UUID | None:
    """A copy of a true event under an id of its own."""
    event, copy = by.any_event(), UUID(int=by.random.getrandbits(128))
    by.ask(
        "INSERT INTO audit_auditevent SELECT (jsonb_populate_record(e, jsonb_build_object('id', %s::text))).*"
        " FROM audit_auditevent AS e WHERE id = %s",
        *(str(copy), event),
    )
    return copy


def insert_without_hash(by: Attacker) -> UUID | None:
    copy = insert(by)
    by.ask("UPDATE audit_auditevent SET mac = '' WHERE id = %s", copy)
    return None


def cut_tail(by: Attacker) -> UUID | None:
    """Some last seals with all their events: what is left is a chain without fault."""
    seq = by.random.randint(2, 6)
    ((since,),) = by.ask("SELECT since FROM audit_seal WHERE practice_id = %s AND seq = %s", by.practice.pk, seq)
    by.ask("DELETE FROM audit_auditevent WHERE practice_id = %s AND xid >= %s", by.practice.pk, since)
    by.ask("DELETE FROM audit_seal WHERE practice_id = %s AND seq >= %s", by.practice.pk, seq)
    return None


def rehash(by: Attacker) -> UUID | None:
    """An edit, and then all hashes, seals and links anew: right in themselves, under a key of the attacker's own."""
    edit(by)
    by.ask("SET LOCAL timezone = 'UTC'")
    forged = {}
    for event, said in by.ask(f"SELECT id, {CONTENT_SQL} FROM audit_auditevent WHERE practice_id = %s", by.practice.pk):
        forged[event] = hashlib.blake2b(said.encode(), key=b"guessed", digest_size=MAC_BYTES).digest()
        by.ask("UPDATE audit_auditevent SET mac = %s WHERE id = %s", forged[event], event)
    previous = bytes(32)
    for seal in Seal._base_manager.using("owner").filter(practice_id=by.practice.pk).order_by("seq"):
        rows = by.ask(
            "SELECT mac FROM audit_auditevent WHERE practice_id = %s AND xid >= %s AND xid < %s ORDER BY xid, id",
            *(by.practice.pk, seal.since, seal.until),
        )
        seal.digest, seal.previous = hashlib.sha256(b"".join(bytes(mac) for (mac,) in rows)).digest(), previous
        previous = head(seal)
        by.ask("UPDATE audit_seal SET digest = %s, previous = %s WHERE id = %s", seal.digest, seal.previous, seal.pk)
    return by.events()[0]


def mute_trigger(by: Attacker) -> UUID | None:
    """A row is changed while its triggers are off."""
    ((row,),) = by.ask(
        "SELECT id FROM practices_location WHERE practice_id = %s ORDER BY random() LIMIT 1", by.practice.pk
    )
    by.ask("UPDATE practices_location SET city = 'Gone' WHERE id = %s", row)
    return UUID(str(row))


def change_record(by: Attacker, sql: str, *parameters: Any) -> UUID | None:
    """What the triggers noted long ago is made other: no event tells of that, and no trigger."""
    by.ask("ALTER TABLE audit_change DISABLE TRIGGER USER")
    by.ask(sql, *parameters)
    for name in ("append_only", "append_only_truncate"):
        by.ask(f"ALTER TABLE audit_change ENABLE ALWAYS TRIGGER {name}")
    return None


def change_row_and_record(by: Attacker) -> UUID | None:
    """The row and what the record says of it agree again."""
    row = mute_trigger(by)
    by.ask("SET LOCAL timezone = 'UTC'")
    return change_record(
        by,
        "UPDATE audit_change SET hashes = ARRAY(SELECT substr(sha256(convert_to(r::text, 'UTF8')), 1, 16)"
        " FROM practices_location AS r WHERE r.id = %s)"
        " WHERE id = (SELECT max(id) FROM audit_change WHERE %s = ANY(row_ids))",
        *(row, row),
    )


def forget_change(by: Attacker) -> UUID | None:
    return change_record(
        by,
        "DELETE FROM audit_change WHERE id ="
        " (SELECT id FROM audit_change WHERE practice_id = %s ORDER BY random() LIMIT 1)",
        by.practice.pk,
    )


def invent_change(by: Attacker) -> UUID | None:
    """In a transaction long past, so that nobody asks for its event."""
    return change_record(
        by,
        "INSERT INTO audit_change (xid, at, practice_id, entity, operation, row_ids, hashes, login)"
        " SELECT xid, at, practice_id, entity, 'U', row_ids, hashes, login FROM audit_change"
        " WHERE practice_id = %s AND operation = 'U' ORDER BY random() LIMIT 1",
        by.practice.pk,
    )


def forget_patient(by: Attacker) -> UUID | None:
    """The event stays; a patient who asks would not be told of it."""
    event, patient = by.any_event(), UUID(int=by.random.getrandbits(128))
    by.ask("INSERT INTO audit_event_patient VALUES (%s, %s, %s)", by.practice.pk, patient, event)
    return event


def exchange_patients(by: Attacker) -> UUID | None:
    """Each of two is told of what was done with the other's data."""
    found = by.ask(
        "DELETE FROM audit_event_patient WHERE (patient_id, event_id) IN (SELECT patient_id, event_id"
        " FROM audit_event_patient WHERE practice_id = %s ORDER BY random() LIMIT 2) RETURNING patient_id, event_id",
        by.practice.pk,
    )
    (one, event), (other, event_of_other) = found
    rows = (by.practice.pk, one, event_of_other, by.practice.pk, other, event)
    by.ask("INSERT INTO audit_event_patient VALUES (%s, %s, %s), (%s, %s, %s)", *rows)
    return None


ATTACKS: list[Callable[[Attacker], UUID | None]] = [
    *(edit, claim_a_grant, delete_first, delete_middle, delete_last, reorder, insert, insert_without_hash),
    *(cut_tail, rehash, mute_trigger, forget_patient, exchange_patients, change_row_and_record),
    *(forget_change, invent_change),
]


def checked(practice: Practice) -> Report:
    return verify(practice.pk, anchors=anchoring.latest(), using="owner")


def test_every_attack_is_found(sealed: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is rolled back afterwards, so that they meet the same log; the second time each seal is a part by itself."""
    untouched = checked(sealed)
    assert untouched.problems == []
    assert (untouched.seals, untouched.unsealed) == (6, 0)
    assert untouched.events > 60
    as_migrated = list(structure.problems("owner"))
    missed = []
    for attack in ATTACKS:
        for time in range(TIMES):
            monkeypatch.setattr(verifying, "PART", (50_000, 1)[time % 2])
            with transaction.atomic(using="owner"):
                attacker = Attacker(sealed, Random(f"{attack.__name__} {time}"))  # noqa: S311  # the same places every time
                named = attack(attacker)
                attacker.cover_up()
                assert list(structure.problems("owner")) == as_migrated
                found = checked(sealed).problems
                if not found or (named is not None and str(named) not in found[0]):
                    missed.append((attack.__name__, time, found))
                transaction.set_rollback(True, using="owner")
    assert missed == []


ON_PLATFORM = (
    "UPDATE audit_platformauditevent SET reason = 'x' WHERE id = %s",
    "DELETE FROM audit_platformauditevent WHERE id = %s",
    "UPDATE audit_platformauditevent SET xid = xid + 1000000 WHERE id = %s",
    "DELETE FROM audit_platformseal WHERE %s IS NOT NULL",
    "UPDATE audit_platformseal SET count = count + 1 WHERE %s IS NOT NULL",
)


def test_every_attack_on_the_platforms_log_is_found(
    tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATE_DIR = tmp_path
    overlook_others(monkeypatch)
    for slug in ("elm", "oak", "yew"):
        create_practice(by=SETUP, slug=slug, name=slug, time_zone="UTC")
        assert sealing.seal_platform()
    assert not sealing.seal_platform()
    assert anchoring.anchor(sealing.heads())

    def found() -> list[str]:
        return verify_platform(anchors=anchoring.latest(), using="owner").problems

    untouched = verify_platform(anchors=anchoring.latest(), using="owner")
    assert (untouched.problems, untouched.seals, untouched.unsealed) == ([], 3, 0)
    assert untouched.events >= 3
    for attack in ON_PLATFORM:
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            for table in ("audit_platformauditevent", "audit_platformseal"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER, NO FORCE ROW LEVEL SECURITY")
            cursor.execute("SELECT id FROM audit_platformauditevent ORDER BY xid, id OFFSET 1 LIMIT 1")
            (event,) = cursor.fetchone()
            cursor.execute(attack, [event])
            assert cursor.rowcount >= 1
            assert found() != [], attack
            transaction.set_rollback(True, using="owner")
    assert found() == []


def test_platforms_log_before_its_first_seal_is_not_sealed_yet() -> None:
    create_practice(by=SETUP, slug="fir", name="Fir", time_zone="UTC")
    report = verify_platform(anchors={}, using="owner")
    assert (report.problems, report.seals) == ([], 0)
    assert report.unsealed == report.events > 0


def test_platforms_seals_are_for_a_platform_scope_alone(practice: Practice) -> None:
    settle()
    assert sealing.seal_platform()
    with practice_scope(practice, actor=SETUP):
        assert not PlatformSeal.objects.exists()
    with platform_scope(actor=SETUP):
        assert PlatformSeal.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE patients_patient DISABLE TRIGGER audit_update",
        "ALTER TABLE audit_auditevent ENABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON audit_seal",
        *(
            f"CREATE OR REPLACE TRIGGER audit_update AFTER UPDATE ON practices_location REFERENCING {tables}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {function};"
            " ALTER TABLE practices_location ENABLE ALWAYS TRIGGER audit_update"
            for tables, function in (
                ("OLD TABLE AS replaced NEW TABLE AS changed", "audit_note_touch('practices.location', 'city')"),
                ("NEW TABLE AS changed", "audit_note_change('practices.nowhere')"),
            )
        ),
        "ALTER TABLE audit_auditevent NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE patients_patient NO FORCE ROW LEVEL SECURITY",
        "ALTER POLICY own_rows ON accounts_membership USING (true)",
        "ALTER POLICY practice_isolation ON patients_patient WITH CHECK (true)",
        "ALTER POLICY practice_isolation ON audit_seal TO practice_owner",
        "DROP POLICY practice_of_member ON practices_practice",
        "CREATE POLICY everything ON patients_patient FOR SELECT USING (true)",
        "GRANT DELETE ON audit_auditevent TO practice_runtime",
        "GRANT SELECT ON audit_change TO practice_runtime",
        "GRANT INSERT ON audit_auditevent TO practice_runtime",
        "GRANT INSERT ON audit_platformauditevent TO practice_runtime",
        "CREATE OR REPLACE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        # Bodies that migrations hold, of other functions or in part.
        "CREATE OR REPLACE FUNCTION audit_horizon() RETURNS bigint LANGUAGE sql STABLE"
        " AS 'SELECT pg_current_xact_id()::text::bigint + 0'",
        "CREATE OR REPLACE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "ALTER FUNCTION audit_note_change() SECURITY INVOKER",
        "ALTER FUNCTION audit_note_touch() RESET search_path",
        "ALTER FUNCTION audit_note_change() SET bytea_output = 'escape'",
        "ALTER FUNCTION audit_replay(text) VOLATILE",
        "DROP FUNCTION audit_pending(text[])",
        "CREATE FUNCTION audit_replay(uuid) RETURNS uuid LANGUAGE sql AS 'SELECT $1'",
    ],
)
def test_guard_that_is_off_is_named(change: str) -> None:
    before = list(structure.problems("owner"))
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute(change)
        assert len(set(structure.problems("owner")) - set(before)) == 1
        transaction.set_rollback(True, using="owner")


def test_clock_that_was_set_right_is_no_finding_but_two_that_differ_are() -> None:
    before = list(structure.problems("owner"))
    moved = "CREATE OR REPLACE FUNCTION audit_{}() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT {}::text::bigint + 7'"
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute(moved.format("transaction", "pg_current_xact_id()"))
        assert len(list(structure.problems("owner"))) == len(before) + 2
        cursor.execute(moved.format("horizon", "pg_snapshot_xmin(pg_current_snapshot())"))
        assert list(structure.problems("owner")) == before
        transaction.set_rollback(True, using="owner")


@pytest.fixture
def as_deployed() -> Iterator[None]:
    """Without what the suite itself switches off to empty the tables."""
    tables = [table for table in structure.APPEND_ONLY if table not in {"audit_event_patient", "audit_change"}]
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"REVOKE TRUNCATE ON {', '.join(structure.APPEND_ONLY)} FROM practice_runtime")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER append_only_truncate")
    yield
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"GRANT TRUNCATE ON {', '.join(structure.APPEND_ONLY)} TO practice_runtime")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only_truncate")


def test_command_says_so_and_ends_with_two(as_deployed: None, sealed: Practice, capsys: Any) -> None:
    call_command("verify_audit")
    assert "ok   cedar: " in capsys.readouterr().out
    call_command("verify_audit", "--practice", "cedar", "--since", "2020-01-01")
    with practice_scope(sealed, actor=SETUP):
        event = AuditEvent.objects.order_by("at", "id")[20]
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER append_only, NO FORCE ROW LEVEL SECURITY")
        cursor.execute("UPDATE audit_auditevent SET actor_label = 'somebody else' WHERE id = %s", [event.pk])
        cursor.execute("ALTER TABLE audit_auditevent ENABLE ALWAYS TRIGGER append_only, FORCE ROW LEVEL SECURITY")
    with pytest.raises(CommandError) as failed:
        call_command("verify_audit", "--practice", "cedar")
    assert failed.value.returncode == 2
    assert f"BAD  cedar: event {event.pk} is not as it was written" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # that of the tests
def test_answer_is_the_same_however_many_processes_find_it(
    as_deployed: None, sealed: Practice, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(verifying, "PART", 1)
    monkeypatch.setattr(verifying, "WORTH_IT", 1)

    def said(processes: int) -> list[str]:
        with suppress(CommandError):
            call_command("verify_audit", "--processes", str(processes))
        return list(capsys.readouterr().out.splitlines()[:-1])  # the last says how fast

    assert said(2)[0].startswith("ok   cedar: ")
    with practice_scope(sealed, actor=SETUP):
        first, *_, last = AuditEvent.objects.order_by("at", "id").values_list("pk", flat=True)
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER append_only, NO FORCE ROW LEVEL SECURITY")
        cursor.execute("UPDATE audit_auditevent SET reason = 'x' WHERE id IN (%s, %s)", [first, last])
        cursor.execute("ALTER TABLE audit_auditevent ENABLE ALWAYS TRIGGER append_only, FORCE ROW LEVEL SECURITY")
    assert (found := said(2)) == said(1)
    assert found[1:2] == [f"BAD  cedar: event {first} is not as it was written"]


def test_policy_that_lets_everybody_in_is_named(as_deployed: None, practice: Practice, capsys: Any) -> None:
    isolation = "ALTER POLICY practice_isolation ON patients_patient USING ({})"
    with connections["owner"].cursor() as cursor:
        cursor.execute(isolation.format("true"))
        try:
            with pytest.raises(CommandError) as failed:
                call_command("verify_audit")
        finally:
            cursor.execute(isolation.format(f"practice_id = {ACTIVE_PRACTICE_SQL}"))
    assert failed.value.returncode == 2
    said = [
        line for line in capsys.readouterr().out.splitlines() if "policy" in line
    ]  # an earlier test's anchor is bad
    assert said == ["BAD  patients_patient: the policy practice_isolation is not as migrated"]


@pytest.mark.parametrize("arguments", [["--practice", "nobody"], ["--since", "yesterday"]])
def test_command_refuses_what_it_can_not_check(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"no practice|takes a day") as failed:
        call_command("verify_audit", *arguments)
    assert failed.value.returncode == 1


def test_anchors_that_somebody_else_wrote_are_refused(sealed: Practice, settings: Any) -> None:
    latest = settings.STATE_DIR / "files" / anchoring.LATEST
    latest.write_text(latest.read_text().replace("[6,", "[5,"))
    with pytest.raises(ValueError, match="not signed"):
        anchoring.latest()
