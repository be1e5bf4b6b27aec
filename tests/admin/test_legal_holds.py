"""Holds on the pages, for whom the API lets place them."""

from __future__ import annotations

import pytest

from patients.models import LegalHold, Patient
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.admin.pages import staff, url
from tests.factories.patients import PatientFactory
from tests.rows import SETUP, make_row

pytestmark = pytest.mark.django_db

ADD = "/admin/patients/legalhold/add/"


@pytest.fixture
def ada(practice: Practice) -> Patient:
    with practice_scope(practice, actor=SETUP):
        return PatientFactory.create(given_name="Ada", family_name="Byron")


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_hold_is_placed_and_released_once(role: str, practice: Practice, ada: Patient) -> None:
    client = staff(role, practice)
    chart = url(Patient, "change", ada.pk)
    assert f"{ADD}?patient={ada.pk}" in client.get(chart).content.decode()
    assert client.post(ADD, {"patient": str(ada.pk), "reason": "A lawsuit"}).status_code == 302
    with practice_scope(practice, actor=SETUP):
        hold = LegalHold.objects.get()
        assert (hold.patient_id, hold.reason, hold.placed_by_id) == (ada.pk, "A lawsuit", client.user.pk)
    assert f"patient__id__exact={ada.pk}" in client.get(chart).content.decode()
    page, release = url(LegalHold, "change", hold.pk), url(LegalHold, "do", hold.pk, "release")
    assert ("A lawsuit" in (shown := client.get(page).content.decode()), release in shown) == (True, True)
    assert client.post(page, {"reason": "Another"}).status_code == 403
    assert client.post(release)["Location"] == page
    assert (release in client.get(page).content.decode(), client.post(release).status_code) == (False, 403)
    with practice_scope(practice, actor=SETUP):
        assert LegalHold.objects.get().released_by_id == client.user.pk


def test_hold_on_an_archived_chart_is_placed_and_on_a_merged_one_refused(practice: Practice, ada: Patient) -> None:
    owner = staff("owner", practice)
    with practice_scope(practice, actor=SETUP):
        archived, merged = PatientFactory.create(status="archived"), PatientFactory.create()
        Patient.objects.filter(pk=merged.pk).update(status="merged", merged_into=ada.pk)
    assert owner.post(ADD, {"patient": str(archived.pk), "reason": "A lawsuit"}).status_code == 302
    refused = owner.post(ADD, {"patient": str(merged.pk), "reason": "A lawsuit"})
    assert (refused.status_code, "merged" in refused.content.decode()) == (409, True)


@pytest.mark.parametrize("role", ["provider", "front_desk", "biller", "auditor"])
def test_others_neither_see_nor_place_holds(role: str, practice: Practice, ada: Patient) -> None:
    client = staff(role, practice)
    with practice_scope(practice, actor=SETUP):
        hold = make_row(LegalHold, patient=ada, released_at=None, released_by=None)
    assert client.get(url(LegalHold, "changelist")).status_code == 403
    assert client.post(ADD, {"patient": str(ada.pk), "reason": "A lawsuit"}).status_code == 403
    assert client.post(url(LegalHold, "do", hold.pk, "release")).status_code == 403
    assert "legalhold" not in client.get(url(Patient, "change", ada.pk)).content.decode()
