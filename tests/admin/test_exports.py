"""Copies for patients on the pages: asked for, made by the job, fetched through a link while they are there."""

from __future__ import annotations

import io
from datetime import timedelta
from urllib.parse import urlsplit
from zipfile import ZipFile

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from integrations.models import PatientExport
from patients.models import Patient
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.admin.pages import staff, url
from tests.factories.patients import PatientFactory
from tests.integrations.test_documents import store
from tests.integrations.test_patient_exports import run_jobs
from tests.rows import SETUP, make_row

__all__ = ["store"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

ADD = "/admin/integrations/patientexport/add/"


@pytest.fixture
def ada(practice: Practice) -> Patient:
    with practice_scope(practice, actor=SETUP):
        return PatientFactory.create(given_name="Ada", family_name="Byron")


def test_copy_is_asked_for_made_and_fetched(practice: Practice, ada: Patient) -> None:
    owner = staff("owner", practice)
    assert f"{ADD}?patient={ada.pk}" in owner.get(url(Patient, "change", ada.pk)).content.decode()
    asked = owner.post(ADD, {"patient": str(ada.pk)})
    with practice_scope(practice, actor=SETUP):
        copy = PatientExport.objects.get()
    page, download = url(PatientExport, "change", copy.pk), url(PatientExport, "download", copy.pk)
    assert (asked["Location"], download in owner.get(page).content.decode()) == (page, False)
    early = owner.get(download)
    assert (early.status_code, early["Location"]) == (302, page)
    run_jobs()
    assert download in owner.get(page).content.decode()
    link = owner.get(download)["Location"]
    fetched = b"".join(Client().get(urlsplit(link).path).streaming_content)  # type: ignore[attr-defined]
    assert "patients.patient.json" in ZipFile(io.BytesIO(fetched)).namelist()
    with practice_scope(practice, actor=SETUP):
        by_owner = AuditEvent.objects.filter(actor_id=owner.user.pk, patient_ids__contains=[ada.pk])
        told = set(by_owner.values_list("entity", "action"))
        PatientExport.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert {("integrations.patientexport", action) for action in ("create", "read", "export")} <= told
    late = owner.get(page).content.decode()
    assert (download in late, owner.get(download)["Location"]) == (False, page)


@pytest.mark.parametrize("role", ["provider", "front_desk", "biller", "auditor"])
def test_others_neither_ask_for_copies_nor_fetch_them(role: str, practice: Practice, ada: Patient) -> None:
    client = staff(role, practice)
    with practice_scope(practice, actor=SETUP):
        copy = make_row(PatientExport, patient=ada, expires_at=timezone.now() + timedelta(hours=1))
    assert client.post(ADD, {"patient": str(ada.pk)}).status_code == 403
    for page in ("change", "download"):
        assert client.get(url(PatientExport, page, copy.pk)).status_code == 403
    assert client.get(url(PatientExport, "changelist")).status_code == 403
    assert "patientexport" not in client.get(url(Patient, "change", ada.pk)).content.decode()
