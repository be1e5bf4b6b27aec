from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from patients import services
from patients.models import Consent, Patient
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_for
from tests.factories.patients import PatientFactory
from tests.patients.conftest import PATIENTS, SETUP


def url(patient: Patient, *parts: str) -> str:
    return "/".join([PATIENTS, str(patient.pk), "consents", *parts])


def refusal(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["errors"][0]["code"]


def test_consent_is_recorded_and_withdrawn_as_a_second_version(desk: MemberClient, ada: Patient) -> None:
    first = desk.post(url(ada), {"kind": "sms", "status": "given", "wording": "messages-2027"})
    assert first.status_code == 201, first.content
    second = desk.post(url(ada), {"kind": "sms", "status": "withdrawn"}).json()
    other = desk.post(url(ada), {"kind": "email", "status": "given", "at": "2020-01-01T10:00:00Z"}).json()
    assert (first.json()["version"], second["version"], other["version"]) == (1, 2, 1)
    listed = desk.get(url(ada)).json()["results"]
    assert [row["id"] for row in listed] == [second["id"], first.json()["id"], other["id"]]
    current = desk.get(f"{url(ada)}?current=true").json()["results"]
    assert [(row["kind"], row["status"]) for row in current] == [("sms", "withdrawn"), ("email", "given")]
    assert [row["id"] for row in desk.get(f"{url(ada)}?current=false&kind=sms").json()["results"]] == [
        first.json()["id"]
    ]
    assert desk.get(url(ada, other["id"])).json()["at"] == "2020-01-01T10:00:00Z"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "fax", "status": "given"}, "invalid_choice"),
        ({"kind": "sms", "status": "maybe"}, "invalid_choice"),
        ({"kind": "sms"}, "required"),
        ({"kind": "sms", "status": "given", "at": "2999-01-01T00:00:00Z"}, "in_future"),
        ({"kind": "sms", "status": "given", "at": "2000-01-01T00:00:00Z"}, "before_last"),
        ({"kind": "sms", "status": "given", "version": 7}, "unknown_field"),
    ],
)
def test_consent_with_a_wrong_value_is_refused(
    desk: MemberClient, ada: Patient, body: dict[str, str], code: str
) -> None:
    assert desk.post(url(ada), {"kind": "sms", "status": "given"}).status_code == 201
    assert refusal(desk.post(url(ada), body)) == (400, code)


def test_consent_is_never_edited_or_deleted(desk: MemberClient, ada: Patient, practice: Practice) -> None:
    consent = desk.post(url(ada), {"kind": "sms", "status": "given"}).json()
    assert desk.patch(url(ada, consent["id"]), {"status": "withdrawn"}).status_code == 405
    assert desk.delete(url(ada, consent["id"])).status_code == 405
    with practice_scope(practice, actor=SETUP):
        row = Consent.objects.get(pk=consent["id"])
        for change in (
            row.save,
            row.delete,
            Consent.objects.all().delete,
            lambda: Consent.objects.update(kind="email"),
        ):
            with pytest.raises(TypeError):
                change()


def test_consent_of_a_merged_chart_is_refused_and_of_an_archived_one_recorded(
    desk: MemberClient, ada: Patient, practice: Practice
) -> None:
    desk.post(f"{PATIENTS}/{ada.pk}/archive")
    assert desk.post(url(ada), {"kind": "sms", "status": "withdrawn"}).status_code == 201
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=ada.pk).update(status="merged", merged_into=PatientFactory.create())
    response = desk.post(url(ada), {"kind": "sms", "status": "given"})
    assert (response.status_code, response.json()["code"]) == (409, "patient_merged")


def test_consents_of_a_patient_one_may_not_see_are_not_there(
    desk: MemberClient, stranger: MemberClient, ada: Patient, practice: Practice
) -> None:
    assert [getattr(stranger, method)(url(ada)).status_code for method in ("get", "post")] == [404, 404]
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=ada.pk).update(restricted=True)
    assert [getattr(desk, method)(url(ada)).status_code for method in ("get", "post")] == [404, 404]


def test_biller_reads_consents_and_records_none(practice: Practice, ada: Patient) -> None:
    biller = client_for("biller", practice)
    assert biller.get(url(ada)).status_code == 200
    assert biller.post(url(ada), {"kind": "sms", "status": "given"}).status_code == 403


def test_who_withdrew_is_told_by_the_last_record(practice: Practice, ada: Patient) -> None:
    with practice_scope(practice, actor=SETUP):
        other = PatientFactory.create()
        earlier = timezone.now() - timedelta(days=1)
        for patient, words in ((ada, ("given", "withdrawn")), (other, ("withdrawn", "given"))):
            for word, at in zip(words, (earlier, timezone.now()), strict=True):
                services.record_consent(patient=patient, by=SETUP, kind="sms", status=word, at=at)
        assert list(Consent.objects.withdrawn("sms").values_list("patient_id", flat=True)) == [ada.pk]
        assert (ada.consents.withdrawn("sms").exists(), other.consents.withdrawn("sms").exists()) == (True, False)
        assert not ada.consents.withdrawn("email").exists()
