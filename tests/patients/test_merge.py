"""Two charts become one, and two again to the byte."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.models import UniqueConstraint
from django.utils import timezone
from rest_framework.test import APIClient

from appointments.models import Appointment, GroupVisit
from audit.models import AuditEvent
from patients import guard
from patients.keys import STAYS, PatientKey, moved_keys, patient_keys
from patients.models import ContactPoint, Patient, PatientIdentifier, PatientMerge, PatientMergeItem
from patients.services import merging
from practices.models import Practice, VersionedModel
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_for
from tests.factories.patients import ContactPointFactory, PatientFactory, PatientIdentifierFactory
from tests.patients.conftest import PATIENTS, SETUP
from tests.rows import make_row

MERGES = "/api/v1/patient-merges"

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(practice: Practice) -> MemberClient:
    return client_for("owner", practice)


@pytest.fixture
def other(practice: Practice) -> Patient:
    with practice_scope(practice, actor=SETUP):
        return PatientFactory.create(given_name="Adah", family_name="Byron")


def into(survivor: Patient) -> str:
    return f"{PATIENTS}/{survivor.pk}/merge"


def body(source: Patient, **more: Any) -> dict[str, Any]:
    return {"source": str(source.pk), "reason": "Same person, typed twice", **more}


Row = tuple[str, int | None]


def photograph(*models_: type[models.Model]) -> dict[tuple[str, str], Row]:
    """Every row of the tables as PostgreSQL writes it, and apart from it the version that counts its edits."""
    shown: dict[tuple[str, str], Row] = {}
    with connection.cursor() as cursor:
        for model in models_:
            table = model._meta.db_table
            version = "version" if issubclass(model, VersionedModel) else "NULL"
            cursor.execute(f"SELECT id::text, (to_jsonb(r) - {version!r})::text, {version} FROM {table} AS r")  # ours
            shown |= {(table, pk): (text, number) for pk, text, number in cursor.fetchall()}
    return shown


def texts(rows: dict[tuple[str, str], Row]) -> dict[tuple[str, str], str]:
    return {name: text for name, (text, _) in rows.items()}


EVERY = [key.model for key in patient_keys() if not key.entity.startswith("patients.patientmerge")]


def test_every_key_to_a_patient_is_moved_or_known_to_stay_and_comes_back_to_the_byte(practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP):
        survivor, source = PatientFactory.create(), PatientFactory.create()
        rows = {key.name: make_row(key.model, **{key.field.name: source}) for key in moved_keys()}
        before = photograph(*EVERY)
    with practice_scope(practice, actor=SETUP):
        merge = merging.merge(survivor=survivor, source=source, reason="Same", by=SETUP)
        left = {key.name for key in patient_keys() if key.name not in STAYS and key.of(source).exists()}
        arrived = {key.name for key in moved_keys() if key.of(survivor).filter(pk=rows[key.name].pk).exists()}
        assert left == set()
        assert arrived == set(rows)
        merged = photograph(*EVERY)
        changed = {name for name, text in texts(merged).items() if text != texts(before)[name]}
        assert {name[1] for name in changed} == {str(row.pk) for row in (source, *rows.values())}
    with practice_scope(practice, actor=SETUP):
        _, since = merging.reverse(merge=merge, by=SETUP)
        after = photograph(*EVERY)
        assert (texts(after), since) == (texts(before), [])
    for name, (_, version) in after.items():
        assert name in changed or version == before[name][1]
        assert version is None or name not in changed or version > (merged[name][1] or 0) > (before[name][1] or 0)


def test_reasons_to_stay_name_keys_that_are_there() -> None:
    assert STAYS.keys() <= {key.name for key in patient_keys()}


def test_every_unique_rule_about_a_patient_is_one_that_a_merge_can_look_up() -> None:
    for key in moved_keys():
        assert not key.field.unique, key.name
        for constraint in key.model._meta.constraints:
            assert not getattr(constraint, "expressions", ()), constraint.name
            is_check_or_unique = isinstance(constraint, UniqueConstraint | models.CheckConstraint)
            assert is_check_or_unique or type(constraint).__module__ == "practices.constraints", constraint.name


def test_every_moved_key_has_its_guard(db: None) -> None:
    assert list(guard.missing()) == []


@pytest.mark.parametrize("key", moved_keys(), ids=lambda key: key.name)
def test_postgresql_refuses_a_row_of_a_merged_patient(in_practice: Practice, key: PatientKey) -> None:
    survivor, source = PatientFactory.create(), PatientFactory.create()
    row = make_row(key.model, **{key.field.name: survivor})
    merging.merge(survivor=survivor, source=source, reason="Same", by=SETUP)
    with pytest.raises(IntegrityError, match="merged"), transaction.atomic(), connection.cursor() as cursor:
        table, column = key.model._meta.db_table, key.field.column
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [source.pk, row.pk])  # ours


def test_merge_says_what_it_moved_and_the_source_where_it_went(
    owner: MemberClient, practice: Practice, ada: Patient, other: Patient
) -> None:
    with practice_scope(practice, actor=SETUP):
        phone = ContactPointFactory.create(patient=other)
        kept = PatientIdentifierFactory.create(patient=other)
        PatientIdentifierFactory.create(patient=ada)
        visit = make_row(Appointment, patient=other)
    dry = owner.post(into(ada), body(other, dry_run=True))
    assert (dry.status_code, dry.json()["dry_run"]) == (200, True)
    assert owner.get(f"{PATIENTS}/{other.pk}").json()["status"] == "active"
    assert owner.get(MERGES).json()["results"] == []
    done = owner.post(into(ada), body(other))
    assert done.status_code == 201
    assert {name: done.json()[name] for name in ("moved", "kept")} == {
        name: dry.json()[name] for name in ("moved", "kept")
    }
    assert done.json()["moved"] == [
        {"entity": "appointments.appointment", "count": 1},
        {"entity": "patients.contactpoint", "count": 1},
    ]
    assert [(each["id"], each["constraint"]) for each in done.json()["kept"]] == [
        (str(kept.pk), "identifier_once_a_patient")
    ]
    gone = owner.get(f"{PATIENTS}/{other.pk}").json()
    assert (gone["status"], gone["merged_into"]) == ("merged", str(ada.pk))
    contacts = owner.get(f"{PATIENTS}/{ada.pk}/contacts").json()["results"]
    assert [(each["id"], each["value"]) for each in contacts] == [(str(phone.pk), phone.value)]
    assert owner.get(f"/api/v1/appointments/{visit.pk}").json()["patient"]["id"] == str(ada.pk)
    assert owner.get(f"{MERGES}/{done.json()['id']}").json()["moved"] == done.json()["moved"]


def test_unmerge_keeps_edits_and_lists_what_was_made_since(
    owner: MemberClient, practice: Practice, ada: Patient, other: Patient
) -> None:
    with practice_scope(practice, actor=SETUP):
        phone, second = ContactPointFactory.create(patient=other), ContactPointFactory.create(patient=other, rank=2)
    merge = owner.post(into(ada), body(other)).json()
    edited = owner.patch(f"{PATIENTS}/{ada.pk}/contacts/{phone.pk}", {"use": "work"})
    assert edited.status_code == 200
    assert owner.delete(f"{PATIENTS}/{ada.pk}/contacts/{second.pk}").status_code == 204
    new = owner.post(f"{PATIENTS}/{ada.pk}/contacts", {"kind": "email", "value": "new@b.test"}).json()
    answer = owner.post(f"{MERGES}/{merge['id']}/reverse")
    assert answer.status_code == 200
    assert answer.json()["made_since"] == [{"entity": "patients.contactpoint", "id": new["id"]}]
    back = owner.get(f"{PATIENTS}/{other.pk}/contacts").json()["results"]
    assert [(each["id"], each["use"], each["value"]) for each in back] == [(str(phone.pk), "work", phone.value)]
    assert back[0]["version"] > edited.json()["version"]
    assert [each["id"] for each in owner.get(f"{PATIENTS}/{ada.pk}/contacts").json()["results"]] == [new["id"]]
    assert owner.get(f"{PATIENTS}/{other.pk}").json()["merged_into"] is None
    again = owner.post(f"{MERGES}/{merge['id']}/reverse")
    assert (again.status_code, again.json()["code"]) == (409, "already_reversed")


def test_copy_read_before_a_merge_is_old_after_its_undoing(owner: MemberClient, ada: Patient, other: Patient) -> None:
    phone = owner.post(f"{PATIENTS}/{other.pk}/contacts", {"kind": "phone", "value": "+12025550123"}).json()
    merge = owner.post(into(ada), body(other)).json()
    assert owner.post(f"{MERGES}/{merge['id']}/reverse").status_code == 200
    for path in (f"{PATIENTS}/{other.pk}", f"{PATIENTS}/{other.pk}/contacts/{phone['id']}"):
        for version in (1, 2):
            assert owner.patch(path, {}, headers={"If-Match": f'"{version}"'}).status_code == 412
        assert owner.patch(path, {}, headers={"If-Match": '"3"'}).status_code == 200


def test_chain_is_undone_from_its_end(owner: MemberClient, practice: Practice, ada: Patient, other: Patient) -> None:
    with practice_scope(practice, actor=SETUP):
        third = PatientFactory.create()
        phone = ContactPointFactory.create(patient=other)
    first = owner.post(into(ada), body(other)).json()
    second = owner.post(into(third), body(ada)).json()
    assert owner.get(f"{PATIENTS}/{other.pk}").json()["merged_into"] == str(ada.pk)
    early = owner.post(f"{MERGES}/{first['id']}/reverse")
    assert (early.status_code, early.json()["code"], early.json()["merges"]) == (409, "merge_order", [second["id"]])
    for merge in (second, first):
        assert owner.post(f"{MERGES}/{merge['id']}/reverse").status_code == 200
    with practice_scope(practice, actor=SETUP):
        assert ContactPoint.objects.get(pk=phone.pk).patient_id == other.pk
        assert ContactPoint.objects.get(pk=phone.pk).version == phone.version + 4  # moved twice, given back twice


def test_what_cannot_be_merged_is_refused(
    owner: MemberClient, practice: Practice, ada: Patient, other: Patient
) -> None:
    own = owner.post(into(ada), body(ada))
    assert (own.status_code, own.json()["code"]) == (409, "merge_of_one")
    stale = owner.post(into(ada), body(other), headers={"If-Match": '"9"'})
    assert stale.status_code == 412
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=other.pk).update(restricted=True)
    hidden = owner.post(into(ada), body(other))
    assert (hidden.status_code, hidden.json()["code"]) == (409, "merge_would_reveal")
    assert owner.post(into(other), body(ada)).status_code == 201
    for survivor, source in ((ada, other), (other, ada)):
        again = owner.post(into(survivor), body(source))
        assert (again.status_code, again.json()["code"]) == (409, "patient_merged")
        assert again.json()["merged_into"] == str(other.pk)


@pytest.mark.parametrize("role", ["provider", "assistant", "front_desk", "biller", "auditor"])
def test_other_roles_neither_merge_nor_undo(practice: Practice, ada: Patient, other: Patient, role: str) -> None:
    client = client_for(role, practice)
    assert client.post(into(ada), body(other)).status_code == 403
    with practice_scope(practice, actor=SETUP):
        merge = merging.merge(survivor=ada, source=other, reason="Same", by=SETUP)
    assert client.post(f"{MERGES}/{merge.pk}/reverse").status_code == 403
    assert client.get(MERGES).status_code == 403


def test_key_for_merges_learns_nothing_of_restricted_charts(
    practice: Practice, owner: MemberClient, ada: Patient, other: Patient
) -> None:
    merge = owner.post(into(ada), body(other)).json()["id"]
    soon = (timezone.now() + timedelta(days=1)).isoformat()
    made = owner.post("/api/v1/api-keys", {"name": "Sync", "scopes": ["merge:full"], "expires_at": soon}).json()
    program = APIClient()
    program.credentials(HTTP_AUTHORIZATION=f"Bearer {made['key']}")
    assert [row["id"] for row in program.get(MERGES).json()["results"]] == [merge]
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=other.pk).update(restricted=True)
    assert program.get(MERGES).json()["results"] == []
    assert program.get(f"{MERGES}/{merge}").status_code == 404
    assert program.post(f"{MERGES}/{merge}/reverse").status_code == 404
    assert owner.get(f"{MERGES}/{merge}").status_code == 200


def test_stranger_merges_nothing_of_ours(
    stranger: MemberClient, other_practice: Practice, practice: Practice, ada: Patient, other: Patient
) -> None:
    with practice_scope(other_practice, actor=SETUP):
        theirs = PatientFactory.create()
    assert stranger.post(into(ada), body(other)).status_code == 404
    foreign = stranger.post(into(theirs), body(ada))
    assert (foreign.status_code, foreign.json()["errors"][0]["pointer"]) == (400, "/source")
    with practice_scope(practice, actor=SETUP):
        merge = merging.merge(survivor=ada, source=other, reason="Same", by=SETUP)
    assert stranger.post(f"{MERGES}/{merge.pk}/reverse").status_code == 404


def test_merged_chart_takes_no_change_on_any_path(
    owner: MemberClient, practice: Practice, ada: Patient, other: Patient
) -> None:
    with practice_scope(practice, actor=SETUP):
        visit = make_row(Appointment, patient=ada)
        merging.merge(survivor=ada, source=other, reason="Same", by=SETUP)
    url = f"{PATIENTS}/{other.pk}"
    booking = {name: str(getattr(visit, f"{name}_id")) for name in ("appointment_type", "provider", "location")}
    answers = [
        owner.patch(url, {"pronouns": "she"}),
        owner.post(f"{url}/archive"),
        owner.post(f"{url}/contacts", {"kind": "email", "value": "a@b.test"}),
        owner.post(f"{url}/identifiers", {"type": "SS", "value": "1"}),
        owner.post(f"{url}/consents", {"kind": "sms", "status": "given"}),
        owner.post("/api/v1/appointments", {**booking, "patient": str(other.pk), "start": "2027-03-01T15:00:00Z"}),
    ]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(409, "patient_merged")] * len(answers)
    assert {each.json()["merged_into"] for each in answers} == {str(ada.pk)}


def test_each_moved_row_is_in_the_log(practice: Practice, ada: Patient, other: Patient) -> None:
    with practice_scope(practice, actor=SETUP):
        phone = ContactPointFactory.create(patient=other)
    with practice_scope(practice, actor=SETUP):
        merging.merge(survivor=ada, source=other, reason="Same", by=SETUP)
    with practice_scope(practice, actor=SETUP):
        moved = AuditEvent.objects.filter(entity="patients.contactpoint", entity_id=phone.pk, action="update")
        assert [each.changes for each in moved] == [{"patient_id": [str(other.pk), str(ada.pk)]}]
        assert PatientMerge.objects.count() == PatientMergeItem.objects.count() == 1


def test_value_that_both_have_comes_back_where_it_was(practice: Practice, ada: Patient, other: Patient) -> None:
    with practice_scope(practice, actor=SETUP):
        own, theirs = PatientIdentifierFactory.create(patient=ada), PatientIdentifierFactory.create(patient=other)
        before = photograph(PatientIdentifier, Patient)
        merge = merging.merge(survivor=ada, source=other, reason="Same", by=SETUP)
        assert set(PatientIdentifier.objects.filter(patient=other)) == {theirs}
        merging.reverse(merge=merge, by=SETUP)
        after = photograph(PatientIdentifier, Patient)
        assert texts(after) == texts(before)
        assert [pk for (table, pk), row in after.items() if row != before[table, pk]] == [str(other.pk)]  # its version
        assert PatientIdentifier.objects.get(pk=own.pk).value == theirs.value


def test_what_only_postgresql_refuses_says_where_the_chart_went(
    owner: MemberClient, practice: Practice, ada: Patient, other: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the merge commits between the service's look at the patient and its INSERT."""
    with practice_scope(practice, actor=SETUP):
        merging.merge(survivor=ada, source=other, reason="Same", by=SETUP)
    monkeypatch.setattr("patients.services.contacts.refuse_merged", lambda patient: None)
    late = owner.post(f"{PATIENTS}/{other.pk}/contacts", {"kind": "email", "value": "a@b.test"})
    assert (late.status_code, late.json()["code"], late.json()["merged_into"]) == (409, "patient_merged", str(ada.pk))


def test_seat_that_both_have_is_kept_and_given_up_by_cancelling(
    owner: MemberClient, practice: Practice, ada: Patient, other: Patient
) -> None:
    with practice_scope(practice, actor=SETUP):
        group = make_row(GroupVisit, seats=3, taken=2)
        shared = {name: getattr(group, name) for name in ("appointment_type", "provider", "location", "start", "end")}
        seats = [make_row(Appointment, patient=patient, group=group, **shared) for patient in (ada, other)]
    kept = owner.post(into(ada), body(other)).json()["kept"]
    assert [(each["entity"], each["id"]) for each in kept] == [("appointments.appointment", str(seats[1].pk))]
    cancelled = owner.post(f"/api/v1/appointments/{seats[1].pk}/cancel")
    assert (cancelled.status_code, cancelled.json().get("status")) == (200, "cancelled")
    with practice_scope(practice, actor=SETUP):
        assert (GroupVisit.objects.get().taken, Appointment.objects.get(pk=seats[0].pk).group_id) == (1, group.pk)
