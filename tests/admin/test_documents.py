"""Documents on the pages: sent to us instead of to the store, and kept by the same rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from audit.models import AuditEvent
from integrations.models import StoredFile
from patients.models import Patient, PatientDocument
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.admin.pages import AdminClient, filled, staff, url
from tests.factories.patients import PatientFactory
from tests.integrations.test_documents import PDF, store
from tests.rows import SETUP

__all__ = ["store"]

ADD = "/admin/patients/patientdocument/add/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(practice: Practice) -> Patient:
    with practice_scope(practice, actor=SETUP):
        return PatientFactory.create(given_name="Ada", family_name="Byron")


def sent(client: AdminClient, patient: Patient, content: bytes = PDF, **changes: Any) -> Any:
    file = SimpleUploadedFile("Scan of Ada.pdf", content, content_type=changes.pop("content_type", "application/pdf"))
    answers = {"patient": str(patient.pk), "title": "Letter", "category": "letter", "sensitivity": "normal"}
    return client.post(ADD, {**answers, "upload": file, **changes})


def only(practice: Practice) -> Any:
    """Read to the end, since what is encrypted can be read inside the practice only."""
    with practice_scope(practice, actor=SETUP):
        document: Any = PatientDocument.objects.select_related("file").get()
        assert (document.title, document.file.filename) != ("", "")
        return document


def none_kept(practice: Practice) -> bool:
    with practice_scope(practice, actor=SETUP):
        return not PatientDocument.objects.exists() and not StoredFile.objects.exists()


def test_document_is_sent_from_the_chart_and_fetched(
    practice: Practice, ada: Patient, store: Path, django_capture_on_commit_callbacks: Any
) -> None:
    desk, chart = staff("front_desk", practice), url(Patient, "change", ada.pk)
    page = desk.get(chart).content.decode()
    assert f"{ADD}?patient={ada.pk}" in page
    form = desk.get(f"{ADD}?patient={ada.pk}").content.decode()
    assert ("Byron, Ada" in form, 'enctype="multipart/form-data"' in form) == (True, True)
    with django_capture_on_commit_callbacks(execute=True):
        assert sent(desk, ada)["Location"] == chart
    document = only(practice)
    file = document.file
    assert (document.added_by_id, file.filename, file.size, file.status) == (
        desk.user.pk,
        "Scan of Ada.pdf",
        len(PDF),
        "kept",
    )
    download = url(PatientDocument, "download", document.pk)
    page = desk.get(chart).content.decode()
    assert (download in page, url(PatientDocument, "change", document.pk) in page) == (True, True)
    link = desk.get(download)
    fetched = Client().get(urlsplit(link["Location"]).path)
    assert (link.status_code, b"".join(fetched.streaming_content)) == (302, PDF)  # type: ignore[attr-defined]
    assert [path.name for path in store.rglob("uploads/*")] == []
    with practice_scope(practice, actor=SETUP):
        events = AuditEvent.objects.filter(actor_id=desk.user.pk, patient_ids__contains=[ada.pk])
        told = set(events.values_list("entity", "action"))
    assert {("patients.patientdocument", "create"), ("patients.patientdocument", "read")} <= told


def test_details_are_changed_and_nothing_is_deleted(practice: Practice, ada: Patient) -> None:
    desk = staff("front_desk", practice)
    sent(desk, ada)
    page = url(PatientDocument, "change", only(practice).pk)
    changed = desk.post(page, filled(desk.get(page), title="Report", status="superseded"))
    assert (changed.status_code, only(practice).title, only(practice).version) == (302, "Report", 2)
    assert desk.post(url(PatientDocument, "delete", only(practice).pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"content": b"<html><script>alert(1)</script></html>"}, "not of the type that it was said to be"),
        ({"content_type": "text/html"}, "Files of these types are kept"),
        ({"content": b""}, "The submitted file is empty"),
        ({"upload": ""}, "This field is required"),
    ],
)
def test_wrong_file_is_refused_in_the_form(
    practice: Practice, ada: Patient, changes: dict[str, Any], told: str
) -> None:
    response = sent(staff("front_desk", practice), ada, **changes)
    errors = response.context["adminform"].form.errors["upload"]
    assert (told in errors[0], none_kept(practice)) == (True, True)


def test_too_large_a_file_and_a_closed_chart_are_refused(
    practice: Practice, ada: Patient, settings: Settings, store: Path
) -> None:
    desk = staff("front_desk", practice)
    settings.MAX_DOCUMENT_BYTES = len(PDF) - 1
    assert "at most" in sent(desk, ada).context["adminform"].form.errors["upload"][0]
    settings.MAX_DOCUMENT_BYTES = len(PDF)
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=ada.pk).update(status="archived")
    archived = sent(desk, ada)
    assert (archived.status_code, none_kept(practice), list(store.rglob("*/uploads/*"))) == (409, True, [])
    assert ADD not in desk.get(url(Patient, "change", ada.pk)).content.decode()


@pytest.mark.parametrize("role", ["biller", "auditor"])
def test_who_only_reads_sends_nothing(role: str, practice: Practice, ada: Patient) -> None:
    sent(staff("owner", practice), ada)
    client = staff(role, practice)
    chart, document = client.get(url(Patient, "change", ada.pk)).content.decode(), only(practice)
    assert (ADD in chart, client.get(ADD).status_code, sent(client, ada).status_code) == (False, 403, 403)
    assert client.get(url(PatientDocument, "download", document.pk)).status_code == 302
    assert client.post(url(PatientDocument, "change", document.pk), {"title": "Mine"}).status_code == 403


def test_restricted_document_is_for_who_reads_notes(practice: Practice, ada: Patient) -> None:
    author, colleague = staff("provider", practice), staff("provider", practice)
    assert sent(author, ada, sensitivity="restricted").status_code == 302
    document = only(practice)
    page, download = url(PatientDocument, "change", document.pk), url(PatientDocument, "download", document.pk)
    for role in ("owner", "front_desk"):
        hidden = staff(role, practice)
        assert (hidden.get(page).status_code, hidden.get(download).status_code) == (404, 404)
        assert str(document.pk) not in hidden.get(url(PatientDocument, "changelist")).content.decode()
        assert "restricted" not in dict(hidden.get(ADD).context["adminform"].form.fields["sensitivity"].choices)
        assert sent(hidden, ada, sensitivity="restricted").context["adminform"].form.errors["sensitivity"]
    assert (colleague.get(page).status_code, colleague.get(download).status_code) == (200, 302)
    form = filled(author.get(page), sensitivity="normal", title="Report")
    assert colleague.post(page, form).status_code == 403
    assert (author.post(page, form).status_code, only(practice).sensitivity) == (302, "normal")


def test_documents_of_a_hidden_chart_are_not_there(practice: Practice, other_practice: Practice, ada: Patient) -> None:
    sent(staff("owner", practice), ada)
    document = only(practice)
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=ada.pk).update(restricted=True)
    for client in (staff("front_desk", practice), staff(["owner", "provider"], other_practice)):
        for page in ("change", "download"):
            assert client.get(url(PatientDocument, page, document.pk)).status_code == 404
        assert "valid choice" in sent(client, ada).context["adminform"].form.errors["patient"][0]
        assert str(document.pk) not in client.get(url(PatientDocument, "changelist")).content.decode()
