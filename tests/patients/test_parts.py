"""What is the same for everything that hangs on a patient, and each kind's own rules."""

from typing import Any

import pytest
from django.db import models

from patients.models import Alert, Allergy, Coverage, MedicationStatement, Patient, RelatedPerson
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_for
from tests.factories.patients import PatientFactory
from tests.patients.conftest import PATIENTS, SETUP
from tests.patients.parts import errors, refusal, url, without_stamps

ADDRESS = {"line1": "12 Analytical Row", "city": "London", "postal_code": "NW1 2AB", "country": "GB"}
PERSON = {"given_name": "Anne", "family_name": "Byron", "relationship": "MTH"}
COVERAGE = {"payer": "Equitable", "plan": "Basic", "member_id": "EQ-1815"}
ALLERGY = {"substance": "Penicillin", "criticality": "high", "reaction": "Rash"}
MEDICATION = {
    "medication": "Laudanum",
    "dosage": "12 drops",
    "code": "7804",
    "code_system": "http://www.nlm.nih.gov/research/umls/rxnorm",
}
ALERT = {"text": "Bites", "severity": "high"}
WHOLE: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "addresses": (
        ADDRESS,
        {**ADDRESS, "use": "home", "type": "both", "line2": "", "state": "", "period_start": None, "period_end": None},
        {"use": "old", "period_end": "2027-01-31"},
    ),
    "related-persons": (
        {**PERSON, "phone": "(202) 555-0143", "guardian": True, "authority": "full"},
        {
            **PERSON,
            "phone": "+12025550143",
            "email": "",
            "guardian": True,
            "emergency": False,
            "authority": "full",
            "period_start": None,
            "period_end": None,
        },
        {"emergency": True, "email": "Anne@Example.test"},
    ),
    "coverages": (
        COVERAGE,
        {**COVERAGE, "order": 1, "period_start": None, "period_end": None, "status": "active"},
        {"status": "cancelled"},
    ),
    "allergies": (
        ALLERGY,
        {
            **ALLERGY,
            "category": None,
            "criticality": "high",
            "clinical_status": "active",
            "verification_status": "unconfirmed",
            "onset": None,
            "code": "",
            "code_system": "",
            "note": "",
        },
        {"clinical_status": "resolved", "note": "Gone since\nthe last test."},
    ),
    "medications": (
        MEDICATION,
        {**MEDICATION, "status": "active", "period_start": None, "period_end": None, "note": ""},
        {"status": "stopped", "period_end": "2027-02-03"},
    ),
    "alerts": (
        ALERT,
        {**ALERT, "shown_to": [], "status": "active", "period_start": None, "period_end": None},
        {"shown_to": ["provider", "front_desk"]},
    ),
}
"""Collection -> what is sent, what is answered, and a change."""
CLINICAL = dict.fromkeys(("allergies", "medications", "alerts"), "assistant")
AREAS = {"addresses": "front_desk", "related-persons": "front_desk", "coverages": "biller", **CLINICAL}
EACH = pytest.mark.parametrize("collection", WHOLE)


def writer(collection: str, practice: Practice) -> MemberClient:
    return client_for(AREAS[collection], practice)


@EACH
def test_part_is_added_read_and_changed(collection: str, practice: Practice, ada: Patient) -> None:
    client, (sent, answered, change) = writer(collection, practice), WHOLE[collection]
    created = client.post(url(ada, collection), sent)
    assert created.status_code == 201, created.content
    assert without_stamps(created.json()) == answered
    path = url(ada, collection, created.json()["id"])
    assert (created["Location"], created["ETag"]) == (path, '"1"')
    assert client.get(path).json() == created.json()
    assert client.patch(path, change, headers={"If-Match": '"7"'}).status_code == 412
    changed = client.patch(path, change, headers={"If-Match": '"1"'}).json()
    assert changed["version"] == 2
    assert client.get(url(ada, collection)).json()["results"] == [changed]


@EACH
def test_part_of_a_closed_chart_is_refused(collection: str, practice: Practice, ada: Patient) -> None:
    client, (sent, _, change) = writer(collection, practice), WHOLE[collection]
    path = url(ada, collection, client.post(url(ada, collection), sent).json()["id"])
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=ada.pk).update(status="archived")
    assert refusal(client.post(url(ada, collection), sent)) == (409, "patient_archived")
    assert refusal(client.patch(path, change)) == (409, "patient_archived")
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=ada.pk).update(status="merged", merged_into=PatientFactory.create())
    assert refusal(client.post(url(ada, collection), sent)) == (409, "patient_merged")
    assert refusal(client.patch(path, change)) == (409, "patient_merged")


@EACH
def test_part_of_a_patient_one_may_not_see_is_not_there(
    collection: str, practice: Practice, stranger: MemberClient, ada: Patient
) -> None:
    sent, _, change = WHOLE[collection]
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=ada.pk).update(restricted=True)
    path = url(ada, collection, client_for("owner", practice).post(url(ada, collection), sent).json()["id"])
    for client in (stranger, writer(collection, practice)):
        assert client.get(url(ada, collection)).status_code == 404
        assert client.post(url(ada, collection), sent).status_code == 404
        assert [client.get(path).status_code, client.patch(path, change).status_code] == [404, 404]


@EACH
def test_part_of_another_patient_is_not_there(collection: str, practice: Practice, ada: Patient) -> None:
    client = writer(collection, practice)
    created = client.post(url(ada, collection), WHOLE[collection][0]).json()
    with practice_scope(practice, actor=SETUP):
        other = PatientFactory.create()
    assert client.get(url(other, collection, created["id"])).status_code == 404
    assert client.get(url(other, collection)).json()["results"] == []


@EACH
def test_reading_parts_is_noted(collection: str, practice: Practice, ada: Patient, reads: list[list[Any]]) -> None:
    writer(collection, practice).get(url(ada, collection))
    assert reads == [[ada.pk]]


@pytest.mark.parametrize(
    ("collection", "body", "expected"),
    [
        ("addresses", {}, {"/line1": "required"}),
        ("addresses", {**ADDRESS, "use": "castle"}, {"/use": "invalid_choice"}),
        ("addresses", {**ADDRESS, "country": "XX"}, {"/country": "invalid"}),
        ("addresses", {**ADDRESS, "country": "gb"}, {"/country": "invalid"}),
        ("addresses", {**ADDRESS, "period_start": "2027-02-01", "period_end": "2027-01-01"}, {"": "period"}),
        ("related-persons", {**PERSON, "relationship": "boss"}, {"/relationship": "invalid_choice"}),
        ("related-persons", {**PERSON, "guardian": True}, {"/authority": "authority_required"}),
        ("related-persons", {**PERSON, "guardian": True, "authority": "information"}, {"": "authority_required"}),
        ("related-persons", {**PERSON, "phone": "12"}, {"/phone": "invalid_phone"}),
        ("related-persons", {**PERSON, "email": "anne@"}, {"/email": "invalid_email"}),
        ("allergies", {**ALLERGY, "criticality": "fatal"}, {"/criticality": "invalid_choice"}),
        ("allergies", {**ALLERGY, "code": "91936005"}, {"/code_system": "required"}),
        ("medications", {**MEDICATION, "code": ""}, {"/code": "required"}),
        ("alerts", {**ALERT, "shown_to": ["patient"]}, {"/shown_to/0": "invalid_choice"}),
        ("alerts", {"severity": "high"}, {"/text": "required"}),
        ("coverages", {**COVERAGE, "order": 0}, {"/order": "min_value"}),
        ("coverages", {**COVERAGE, "status": "expired"}, {"/status": "invalid_choice"}),
        ("coverages", {"payer": "Equitable"}, {"/member_id": "required"}),
        ("coverages", {**COVERAGE, "premium": 3}, {"/premium": "unknown_field"}),
    ],
)
def test_part_with_a_wrong_value_is_refused(
    collection: str, body: dict[str, Any], expected: dict[str, str], practice: Practice, ada: Patient
) -> None:
    assert errors(writer(collection, practice).post(url(ada, collection), body)) == expected


@pytest.mark.parametrize("collection", ["addresses", "related-persons"])
def test_part_may_be_removed_by_who_edits_the_chart(
    collection: str, practice: Practice, desk: MemberClient, ada: Patient
) -> None:
    path = url(ada, collection, desk.post(url(ada, collection), WHOLE[collection][0]).json()["id"])
    assert client_for("biller", practice).delete(path).status_code == 403
    assert desk.delete(path).status_code == 204
    assert desk.get(path).status_code == 404


@pytest.mark.parametrize("collection", ["coverages", *CLINICAL])
def test_part_that_others_go_by_is_never_removed(collection: str, practice: Practice, ada: Patient) -> None:
    owner = client_for("owner", practice)
    created = owner.post(url(ada, collection), WHOLE[collection][0]).json()
    assert owner.delete(url(ada, collection, created["id"])).status_code == 405


def test_patient_has_one_primary_coverage_at_a_time(practice: Practice, ada: Patient) -> None:
    biller = client_for("biller", practice)
    first = biller.post(url(ada, "coverages"), {**COVERAGE, "period_end": "2026-12-31"})
    assert first.status_code == 201
    for taken in ({}, {"period_start": "2026-12-31"}, {"period_end": "2020-01-01"}):
        assert errors(biller.post(url(ada, "coverages"), {**COVERAGE, **taken})) == {"/order": "primary_taken"}
    for free in ({"order": 2}, {"status": "draft"}, {"period_start": "2027-01-01"}):
        assert biller.post(url(ada, "coverages"), {**COVERAGE, **free}).status_code == 201, free
    path = url(ada, "coverages", first.json()["id"])
    assert errors(biller.patch(path, {"period_end": "2027-01-01"})) == {"/order": "primary_taken"}
    assert biller.patch(path, {"payer": "Amicable"}).status_code == 200


def test_values_of_others_stay_encrypted(practice: Practice, desk: MemberClient, ada: Patient) -> None:
    desk.post(url(ada, "related-persons"), {**PERSON, "phone": "(202) 555-0143", "email": "anne@example.test"})
    desk.post(url(ada, "coverages"), COVERAGE)
    assistant = client_for("assistant", practice)
    for collection, sent in (("allergies", ALLERGY), ("medications", MEDICATION)):
        assert assistant.post(url(ada, collection), {**sent, "note": "Told by phone."}).status_code == 201
    assistant.post(url(ada, "alerts"), ALERT)
    with practice_scope(practice, actor=SETUP):
        for model, names in (
            *((RelatedPerson, ["phone", "email"]), (Coverage, ["member_id"]), (Alert, ["text"])),
            *((Allergy, ["reaction", "note"]), (MedicationStatement, ["dosage", "note"])),
        ):
            raw = model._default_manager.annotate(
                **{f"raw_{name}": models.functions.Cast(name, models.TextField()) for name in names}
            ).values_list(*(f"raw_{name}" for name in names))
            assert raw
            assert all(str(value).startswith("v1:") for row in raw for value in row)


def test_tag_is_made_put_on_a_patient_and_taken_off(practice: Practice, desk: MemberClient, ada: Patient) -> None:
    tag = desk.post("/api/v1/tags", {"name": "Recall", "colour": "#aa0000"}).json()
    assert desk.post("/api/v1/tags", {"name": "Recall"}).status_code == 400
    put = desk.post(url(ada, "tags"), {"tag": tag["id"]})
    assert put.status_code == 201
    assert errors(desk.post(url(ada, "tags"), {"tag": tag["id"]})) == {"/tag": "unique"}
    with practice_scope(practice, actor=SETUP):
        PatientFactory.create()
    found = desk.get(f"{PATIENTS}?tag={tag['id']}").json()["results"]
    assert [row["id"] for row in found] == [str(ada.pk)]
    assert desk.delete(url(ada, "tags", put.json()["id"])).status_code == 204
    assert desk.get(url(ada, "tags")).json()["results"] == []
    assert desk.delete(f"/api/v1/tags/{tag['id']}").status_code == 403
    assert client_for("admin", practice).delete(f"/api/v1/tags/{tag['id']}").status_code == 204


def test_tag_of_another_practice_is_unknown(stranger: MemberClient, desk: MemberClient, ada: Patient) -> None:
    theirs = stranger.post("/api/v1/tags", {"name": "Theirs"}).json()
    assert errors(desk.post(url(ada, "tags"), {"tag": theirs["id"]})) == {"/tag": "does_not_exist"}


def test_alert_is_shown_to_the_roles_it_names(practice: Practice, desk: MemberClient, ada: Patient) -> None:
    provider = client_for("provider", practice)
    shown = [
        provider.post(url(ada, "alerts"), {**ALERT, "shown_to": roles}).json()["id"]
        for roles in ([], ["front_desk"], ["provider"])
    ]
    assert {row["id"] for row in provider.get(url(ada, "alerts")).json()["results"]} == set(shown)
    assert {row["id"] for row in desk.get(url(ada, "alerts")).json()["results"]} == set(shown[:2])
    assert desk.get(url(ada, "alerts", shown[2])).status_code == 404
    assert client_for("biller", practice).get(url(ada, "alerts")).status_code == 403
    assert client_for(["biller", "front_desk"], practice).get(url(ada, "alerts", shown[1])).status_code == 200
