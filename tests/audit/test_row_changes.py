"""Every change of a tenant's row is in the record that triggers keep, and one without an event is raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import ProgrammingError, connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import reconciling, triggers
from audit.models import AuditEvent
from audit.replaying import differences
from integrations.upkeep import in_every_practice
from practices.models import Closure, Location, Practice
from practices.tenancy import Actor, practice_scope
from tests.admin.pages import filled, staff, url
from tests.appointments.test_api import body
from tests.clients import client_for
from tests.rows import SETUP, make_row, tenant_models

BY = Actor.user(uuid4(), ("owner",), "Robin")
ALWAYS = 2**62
Change = tuple[str, str, UUID]
"""entity, operation and row."""


def noted(practice: Practice) -> list[Change]:
    """What the record holds of the practice, as the owner reads it."""
    with practice_scope(practice, actor=SETUP), connection.cursor() as cursor:
        found: list[Change] = []
        for model in triggers.noted_models():
            cursor.execute("SELECT row_id, operation FROM audit_replay(%s)", [model._meta.label_lower])
            found += [(model._meta.label_lower, operation, row_id) for row_id, operation in cursor.fetchall()]
    return found


def unattributed(practice: Practice) -> set[Change]:
    with practice_scope(practice, actor=SETUP), connection.cursor() as cursor:
        cursor.execute(
            "SELECT entity, operation, unnest(row_ids) FROM audit_unattributed(0, %s, %s)",
            [ALWAYS, triggers.audited_entities()],
        )
        return set(cursor.fetchall())


def raw(sql: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


# --- The triggers ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_every_tenant_table_has_its_triggers() -> None:
    assert list(triggers.problems()) == []
    left_out = {model._meta.label for model in tenant_models()} - {m._meta.label for m in triggers.noted_models()}
    assert {label.split(".")[0] for label in left_out} == {"audit"}


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_statement_on_rows_of_two_practices_is_noted_for_each(practice: Practice, other_practice: Practice) -> None:
    """As only somebody can write whom no row policy binds; and one that changes nothing notes nothing."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE practices_closure NO FORCE ROW LEVEL SECURITY")
        cursor.execute(
            "INSERT INTO practices_closure"
            " (id, practice_id, created_at, updated_at, version, name, start_date, end_date)"
            " SELECT gen_random_uuid(), unnest(%s::uuid[]), now(), now(), 1, 'x', now(), now()",
            [[practice.pk, other_practice.pk, practice.pk]],
        )
        cursor.execute("UPDATE practices_closure SET name = 'y' WHERE name = 'z'")
        cursor.execute(
            "SELECT practice_id, operation::text, cardinality(row_ids), hashes = ARRAY("
            " SELECT substr(sha256(convert_to(r::text, 'UTF8')), 1, 16)"
            " FROM unnest(row_ids) WITH ORDINALITY AS n(id, place)"
            " JOIN practices_closure AS r USING (id) ORDER BY place)"
            " FROM audit_change WHERE xid = audit_transaction()"
        )
        assert set(cursor.fetchall()) == {(practice.pk, "I", 2, True), (other_practice.pk, "I", 1, True)}
        transaction.set_rollback(True, using="owner")


@pytest.mark.django_db(databases=["default", "owner"])
def test_table_without_them_is_noticed_and_mended() -> None:
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("DROP TRIGGER audit_update ON patients_patient")
        cursor.execute("ALTER TABLE practices_location DISABLE TRIGGER audit_delete")
        cursor.execute("ALTER TABLE practices_closure ENABLE TRIGGER audit_insert")  # not for replication roles
        cursor.execute(
            "CREATE OR REPLACE TRIGGER audit_insert AFTER INSERT ON practices_resource REFERENCING NEW TABLE AS changed"
            " FOR EACH STATEMENT EXECUTE FUNCTION audit_note_change('practices.location')"
        )
        assert set(triggers.problems("owner")) == {
            ("patients_patient", "audit_update"),
            ("practices_location", "audit_delete"),
            ("practices_closure", "audit_insert"),
            ("practices_resource", "audit_insert"),
        }
        triggers.install("owner")
        assert list(triggers.problems("owner")) == []
        transaction.set_rollback(True, using="owner")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM audit_change",
        "INSERT INTO audit_change (practice_id, entity, operation, row_ids, hashes) VALUES (%s, 'x', 'I', '{}', '{}')",
        "UPDATE audit_change SET entity = 'x'",
        "DELETE FROM audit_change",
        "SELECT nextval('audit_change_id_seq')",
        "INSERT INTO audit_auditevent (id, xid) VALUES (%s, 1)",
    ],
)
def test_runtime_login_has_no_right_to_the_record(sql: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        raw(sql, *([uuid4()] * sql.count("%s")))


def test_record_is_told_to_its_own_practice_only(practice: Practice, other_practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        Location.objects.create(name="Main")
    entities = {entity for entity, *_ in noted(practice)}
    assert "practices.location" in entities
    assert "practices.location" not in {entity for entity, *_ in noted(other_practice)}


# --- The ways to write -------------------------------------------------------------------------------


def by_api(clinic: Any, place: Location) -> set[Change]:
    client = client_for("owner", clinic.practice)
    response = client.post("/api/v1/locations", {"name": "By API"})
    assert response.status_code == 201, response.content
    return {("practices.location", "I", UUID(response.json()["id"]))}


def by_booking(clinic: Any, place: Location) -> set[Change]:
    client = client_for("owner", clinic.practice)
    response = client.post("/api/v1/appointments", body(clinic))
    assert response.status_code == 201, response.content
    return {("appointments.appointment", "I", UUID(response.json()["id"]))}


def by_admin(clinic: Any, place: Location) -> set[Change]:
    client = staff("owner", clinic.practice)
    page = url(Location, "add")
    assert client.post(page, filled(client.get(page), name="By the admin")).status_code == 302
    with practice_scope(clinic.practice, actor=SETUP):
        return {("practices.location", "I", Location.objects.get(name="By the admin").pk)}


def by_job(clinic: Any, place: Location) -> set[Change]:
    in_every_practice(lambda: Location.objects.filter(name="Main").update(city="Night"))
    return {("practices.location", "U", place.pk)}


def by_save(clinic: Any, place: Location) -> set[Change]:
    with practice_scope(clinic.practice, actor=BY):
        place.name = "Saved"
        place.save()
    return {("practices.location", "U", place.pk)}


def by_bulk_create(clinic: Any, place: Location) -> set[Change]:
    with practice_scope(clinic.practice, actor=BY):
        rows = Location.objects.bulk_create([Location(name="A"), Location(name="B")])
    return {("practices.location", "I", row.pk) for row in rows}


def by_bulk_update(clinic: Any, place: Location) -> set[Change]:
    with practice_scope(clinic.practice, actor=BY):
        place.city = "Utica"
        Location.objects.bulk_update([place], ["city"])
    return {("practices.location", "U", place.pk)}


def by_update(clinic: Any, place: Location) -> set[Change]:
    with practice_scope(clinic.practice, actor=BY):
        Location.objects.filter(pk=place.pk).update(city="Utica")
    return {("practices.location", "U", place.pk)}


def by_delete(clinic: Any, place: Location) -> set[Change]:
    with practice_scope(clinic.practice, actor=BY):
        Location.objects.filter(pk=place.pk).delete()
    return {("practices.location", "D", place.pk)}


def by_cascade(clinic: Any, place: Location) -> set[Change]:
    with practice_scope(clinic.practice, actor=BY):
        fair = Closure.objects.create(name="Fair", location=place, start_date="2026-01-01", end_date="2026-01-02")
        fair_id = fair.pk
        place.delete()
    return {("practices.closure", "D", fair_id)}


def by_base_manager(clinic: Any, place: Location) -> set[Change]:
    with practice_scope(clinic.practice, actor=BY):
        Location._base_manager.filter(pk=place.pk).update(city="Behind the signals")
    return {("practices.location", "U", place.pk)}


def by_raw_insert(clinic: Any, place: Location) -> set[Change]:
    with practice_scope(clinic.practice, actor=BY):
        return {("practices.location", "I", clone(place))}


def by_raw_update(clinic: Any, place: Location) -> set[Change]:
    with practice_scope(clinic.practice, actor=BY):
        raw("UPDATE practices_location SET city = 'Raw' WHERE id = %s", place.pk)
    return {("practices.location", "U", place.pk)}


def by_raw_delete(clinic: Any, place: Location) -> set[Change]:
    with practice_scope(clinic.practice, actor=BY):
        raw("DELETE FROM practices_location WHERE id = %s", place.pk)
    return {("practices.location", "D", place.pk)}


def by_raw_update_beside_an_event(clinic: Any, place: Location) -> set[Change]:
    """An event of the same row in the same transaction accounts for one change, not for two."""
    with practice_scope(clinic.practice, actor=BY):
        place.name = "Saved"
        place.save()
        raw("UPDATE practices_location SET city = 'Raw' WHERE id = %s", place.pk)
    return {("practices.location", "U", place.pk)}


TOLD: list[Callable[..., set[Change]]] = [
    *(by_api, by_booking, by_admin, by_job, by_save, by_bulk_create, by_bulk_update, by_update, by_delete, by_cascade)
]
UNTOLD: list[Callable[..., set[Change]]] = [
    *(by_base_manager, by_raw_insert, by_raw_update, by_raw_delete, by_raw_update_beside_an_event)
]


@pytest.fixture
def place(clinic: Any) -> Location:
    with practice_scope(clinic.practice, actor=BY):
        made: Location = Location.objects.create(name="Main")
    return made


@pytest.mark.parametrize("way", TOLD)
def test_change_is_noted_and_accounted_for(clinic: Any, place: Location, way: Callable[..., set[Change]]) -> None:
    expected = way(clinic, place)
    assert expected <= set(noted(clinic.practice))
    assert unattributed(clinic.practice) == set()


@pytest.mark.parametrize("way", UNTOLD)
def test_change_without_event_is_raised(clinic: Any, place: Location, way: Callable[..., set[Change]]) -> None:
    expected = way(clinic, place)
    assert expected <= set(noted(clinic.practice))
    assert unattributed(clinic.practice) == expected
    with practice_scope(clinic.practice, actor=Actor.system("audit")):
        assert reconciling.raise_unattributed(since=0, until=ALWAYS) == 1
    with practice_scope(clinic.practice, actor=SETUP):
        event = AuditEvent.objects.get(action="unattributed")
    ((entity, _, row_id),) = expected
    assert (event.entity, event.entity_id, event.changes["rows"]) == (entity, row_id, [None, [str(row_id)]])
    assert event.changes["user_id"] == [None, str(BY.id)]
    assert "practice_runtime" in event.reason


def test_raised_change_of_a_patient_names_the_patient(clinic: Any) -> None:
    with practice_scope(clinic.practice, actor=BY):
        raw("UPDATE patients_patient SET pronouns = 'x' WHERE id = %s", clinic.patient.pk)
    with practice_scope(clinic.practice, actor=Actor.system("audit")):
        reconciling.raise_unattributed(since=0, until=ALWAYS)
    with practice_scope(clinic.practice, actor=SETUP):
        assert AuditEvent.objects.get(action="unattributed").patient_ids == [clinic.patient.pk]


def test_use_of_a_key_is_no_change_of_it(clinic: Any) -> None:
    from accounts.api_keys import note_use
    from accounts.models import ApiKey

    with practice_scope(clinic.practice, actor=BY):
        key = make_row(ApiKey)
        note_use(key)
    assert ("accounts.apikey", "T", key.pk) in noted(clinic.practice)
    assert unattributed(clinic.practice) == set()
    with practice_scope(clinic.practice, actor=BY):
        raw("UPDATE accounts_apikey SET last_used_at = now(), name = 'stolen' WHERE id = %s", key.pk)
    assert unattributed(clinic.practice) == {("accounts.apikey", "U", key.pk)}


# --- The record, played again -------------------------------------------------------------------------


def clone(row: Location) -> UUID:
    copy = uuid4()
    raw(
        "INSERT INTO practices_location SELECT (jsonb_populate_record(l, jsonb_build_object('id', %s::text,"
        " 'name', %s::text))).* FROM practices_location AS l WHERE id = %s",
        copy,
        copy,
        row.pk,
    )
    return copy


def save(row: Location) -> None:
    row.city = uuid4().hex
    row.save()


def bulk_update(row: Location) -> None:
    row.city = uuid4().hex
    Location.objects.bulk_update([row], ["city"])


def cascade(row: Location) -> None:
    Closure.objects.create(name="Fair", location=row, start_date="2026-01-01", end_date="2026-01-02")
    Location.objects.filter(pk=row.pk).delete()


def undo(row: Location) -> None:
    with transaction.atomic():
        Location.objects.update(city="undone")
        transaction.set_rollback(True)


STEPS: dict[str, Callable[[Location], Any]] = {
    "create": lambda row: Location.objects.create(name=uuid4().hex),
    "bulk_create": lambda row: Location.objects.bulk_create([Location(name=uuid4().hex), Location(name=uuid4().hex)]),
    "save": save,
    "update": lambda row: Location.objects.update(city=uuid4().hex),
    "bulk_update": bulk_update,
    "delete": lambda row: row.delete(),
    "cascade": cascade,
    "raw insert": clone,
    "raw update": lambda row: raw("UPDATE practices_location SET city = %s", uuid4().hex),
    "raw delete": lambda row: raw("DELETE FROM practices_location WHERE id = %s", row.pk),
    "undo": undo,
}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 5)), max_size=12))
def test_replaying_rebuilds_every_table(practice: Practice, steps: list[tuple[str, int]]) -> None:
    with practice_scope(practice, actor=BY):
        for step, which in steps:
            rows = list(Location.objects.order_by("id")) or [Location.objects.create(name=uuid4().hex)]
            STEPS[step](rows[which % len(rows)])
        for model in (Location, Closure):
            assert list(differences(model)) == []


def test_replaying_holds_for_rows_of_every_model(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        for model in triggers.noted_models():
            make_row(model)
        found = {model._meta.label: list(differences(model)) for model in triggers.noted_models()}
        assert {label: rows for label, rows in found.items() if rows} == {}
        assert len(noted(practice)) >= len(found)
