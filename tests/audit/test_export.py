"""The log as a file, and a patient's own part of it."""

import csv
import json
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest

from audit import views
from audit.models import AuditEvent
from audit.recording import record
from patients.models import Patient
from practices.models import Practice
from practices.tenancy import Actor, practice_scope
from tests.clients import client_for
from tests.rows import SETUP

EXPORT = "/api/v1/audit-events/export"


@pytest.fixture
def patient(practice: Practice) -> Patient:
    with practice_scope(practice, actor=Actor.user(uuid4(), label="=cmd|' /C calc'!A0")):
        made: Patient = Patient.objects.create(given_name="Ada", family_name="Ashby")
    return made


def events(practice: Practice, **filters: Any) -> list[AuditEvent]:
    with practice_scope(practice, actor=SETUP):
        return list(AuditEvent.objects.filter(**filters).order_by("at", "id"))


def test_export_is_a_line_for_each_event(practice: Practice, patient: Patient) -> None:
    client = client_for("auditor", practice)
    response = client.get(EXPORT, {"entity": "patients.patient"})
    assert response["Content-Type"] == "application/x-ndjson"
    (line,) = [json.loads(each) for each in response.content.splitlines()]
    assert (line["action"], line["entity_id"], line["patients"]) == ("create", str(patient.pk), [str(patient.pk)])
    (told,) = events(practice, action="export")
    assert (told.actor_id, told.changes, told.patient_ids) == (client.user.pk, {"events": [None, 1]}, [patient.pk])


def test_export_as_a_table_holds_no_formulas(practice: Practice, patient: Patient) -> None:
    response = client_for("owner", practice).get(EXPORT, {"entity": "patients.patient"}, headers={"Accept": "text/csv"})
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="audit-events.csv"' in response["Content-Disposition"]
    (row,) = csv.DictReader(StringIO(response.content.decode()))
    assert (row["action"], row["patients"], row["actor"]) == ("create", str(patient.pk), "'=cmd|' /C calc'!A0")


def test_export_beyond_the_limit_is_refused(
    practice: Practice, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_EVENTS", 0)
    response = client_for("owner", practice).get(EXPORT)
    assert (response.status_code, response.json()["code"]) == (400, "too_many_events")
    assert events(practice, action="export") == []


def test_export_refuses_other_forms_and_unknown_filters(practice: Practice) -> None:
    client = client_for("owner", practice)
    assert client.get(EXPORT, headers={"Accept": "application/pdf"}).status_code == 406
    assert client.get(EXPORT, {"page_size": "10"}).status_code == 400


def test_access_log_tells_who_saw_and_changed_one_patient(
    practice: Practice, other_practice: Practice, patient: Patient
) -> None:
    reader, auditor = client_for("provider", practice), client_for("auditor", practice)
    assert reader.get(f"/api/v1/patients/{patient.pk}").status_code == 200
    with practice_scope(practice, actor=SETUP):
        record("read", "patients.patient", patient_ids=[uuid4()])
    path = f"/api/v1/patients/{patient.pk}/access-log"
    first = auditor.get(path).json()["results"]
    assert next((each["action"], each["actor"]["id"]) for each in first) == ("read", str(reader.user.pk))
    assert [each["action"] for each in first] == ["read", "create"]
    again = auditor.get(path, {"action": "read"}).json()["results"]
    assert [each["actor"]["id"] for each in again] == [str(auditor.user.pk), str(reader.user.pk)]
    stranger = client_for("auditor", other_practice)
    unknown = stranger.get(f"/api/v1/patients/{uuid4()}/access-log")
    assert (stranger.get(path).status_code, unknown.status_code) == (404, 404)
