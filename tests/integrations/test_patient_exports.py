"""Right of access: one zip with all that is kept about a patient, for owners and admins, for a day."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZipFile

import pytest
from django.db import models
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from pytest_django import Settings

from accounts.models import Membership
from audit.models import AuditEvent
from integrations.errors import RetryableVendorError
from integrations.models import PatientExport
from integrations.storage.console import LocalFiles
from integrations.tasks import MAX_ATTEMPTS, make_patient_export, remove_expired_exports
from patients.belongings import belongings
from patients.models import Patient
from patients.record import LEFT_OUT, record_of
from patients.services import merging
from patients.services.erasure import erase
from patients.signals import patient_data_exported
from practices.encryption import EncryptedTextField
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_for
from tests.factories.patients import ContactPointFactory, PatientFactory
from tests.integrations.test_documents import API, PDF, added, store
from tests.patients.everything import one_of_each
from tests.rows import SETUP, make_row, tenant_models
from tests.test_audit_completeness import about_patients

__all__ = ["store"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(practice: Practice) -> Patient:
    with practice_scope(practice, actor=SETUP):
        return PatientFactory.create(given_name="Ada", family_name="Byron")


@pytest.fixture
def owner(practice: Practice) -> MemberClient:
    return client_for("owner", practice)


def ask(client: MemberClient, patient: Patient) -> Any:
    return client.post(f"{API}/patients/{patient.pk}/export")


def run_jobs(*, attempts: int = 0) -> None:
    context: Any = SimpleNamespace(job=SimpleNamespace(attempts=attempts))
    for job in ProcrastinateJob.objects.filter(task_name=make_patient_export.name):
        make_patient_export(context, **job.args)


def fetched(client: MemberClient, export: str) -> ZipFile:
    link = client.get(f"{API}/patient-exports/{export}/download").json()["url"]
    answer: Any = Client().get(urlsplit(link).path)
    return ZipFile(io.BytesIO(b"".join(answer.streaming_content)))


def status_of(client: MemberClient, export: str) -> tuple[str, str]:
    shown = client.get(f"{API}/patient-exports/{export}").json()
    return shown["status"], shown["error_code"]


def test_every_model_that_leads_to_a_patient_is_in_the_record_in_plain(practice: Practice) -> None:
    assert {each.model for each in belongings()} == {model for model in tenant_models() if about_patients(model)}
    assert LEFT_OUT.keys() <= {each.entity for each in belongings()}
    with practice_scope(practice, actor=SETUP):
        made = one_of_each(make_row(Patient))
        make_row(made[Patient].contacts.model)  # somebody else's
        record = {name: list(rows) for name, rows in record_of([made[Patient].pk])}
        for belonging in belongings():
            if belonging.entity in LEFT_OUT:
                assert belonging.entity not in record
                continue
            row = made[belonging.model]
            [shown] = [each for each in record[belonging.entity] if each["id"] == row.pk]
            secret = [f for f in row._meta.concrete_fields if isinstance(f, EncryptedTextField)]
            assert {f.attname: shown[f.attname] for f in secret} == {f.attname: getattr(row, f.attname) for f in secret}
        assert len(record["patients.contactpoint"]) == 1
        assert {"patients.tag", "accounts.user"} <= {each["entity"] for each in record["names"]}


def test_copy_is_made_fetched_and_removed(practice: Practice, ada: Patient, owner: MemberClient, store: Path) -> None:
    desk = client_for("front_desk", practice)
    document = added(desk, ada).json()
    with practice_scope(practice, actor=SETUP):
        ContactPointFactory.create(patient=ada, value="+12025550177")
        merged = PatientFactory.create(family_name="Lovelace")
        merging.merge(survivor=ada, source=merged, reason="Same", by=SETUP)
    answer = ask(owner, ada)
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    export = answer.json()["id"]
    assert answer["Location"] == f"{API}/patient-exports/{export}"
    early = owner.get(f"{API}/patient-exports/{export}/download")
    assert (early.status_code, early.json()["code"]) == (409, "export_not_ready")
    [job] = ProcrastinateJob.objects.filter(task_name=make_patient_export.name)
    assert job.args == {"practice_id": str(practice.pk), "export_id": export}
    run_jobs()
    assert status_of(owner, export) == ("ready", "")
    archive = fetched(owner, export)
    [name] = [name for name in archive.namelist() if name.startswith("documents/")]
    assert (name, archive.read(name)) == (f"documents/{document['id']}.pdf", PDF)
    assert json.loads(archive.read("missing-documents.json")) == []
    tables = {name: json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")}
    assert {each["family_name"] for each in tables["patients.patient.json"]} == {"Byron", "Lovelace"}
    assert [each["value"] for each in tables["patients.contactpoint.json"]] == ["+12025550177"]
    looked = {(each["actor_id"], each["action"]) for each in tables["access-report.json"]}
    assert (str(desk.user.pk), "create") in looked
    assert (str(owner.user.pk), "read") in looked
    with practice_scope(practice, actor=SETUP):
        exported = AuditEvent.objects.filter(action="export", entity="integrations.patientexport").order_by("id")
        assert [(each.actor_kind, ada.pk in each.patient_ids) for each in exported] == [
            ("system", True),
            ("user", True),
        ]
        PatientExport.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert list(store.rglob("exports/*")) != []
    remove_expired_exports(timestamp=0)
    assert list(store.rglob("exports/*")) == []
    assert status_of(owner, export) == ("expired", "")
    late = owner.get(f"{API}/patient-exports/{export}/download")
    assert (late.status_code, late.json()["code"]) == (409, "export_not_ready")


def test_other_roles_and_strangers_get_no_copy(
    practice: Practice, other_practice: Practice, ada: Patient, owner: MemberClient
) -> None:
    export = ask(owner, ada).json()["id"]
    paths = (f"{API}/patient-exports", f"{API}/patient-exports/{export}", f"{API}/patient-exports/{export}/download")
    for role in ("provider", "assistant", "front_desk", "biller", "auditor"):
        client = client_for(role, practice)
        assert [ask(client, ada).status_code, *(client.get(path).status_code for path in paths)] == [403] * 4, role
    stranger = client_for(["owner", "provider"], other_practice)
    assert [ask(stranger, ada).status_code, *(stranger.get(path).status_code for path in paths[1:])] == [404] * 3
    assert stranger.get(paths[0]).json()["results"] == []
    assert client_for("admin", practice).get(paths[1]).status_code == 200


def test_merged_chart_says_which_to_ask_for(practice: Practice, ada: Patient, owner: MemberClient) -> None:
    with practice_scope(practice, actor=SETUP):
        survivor = PatientFactory.create()
        merging.merge(survivor=survivor, source=ada, reason="Same", by=SETUP)
    answer = ask(owner, ada)
    assert (answer.status_code, answer.json()["merged_into"]) == (409, str(survivor.pk))


def test_nothing_is_copied_for_who_is_an_owner_no_more(
    practice: Practice, ada: Patient, owner: MemberClient, store: Path
) -> None:
    export = ask(owner, ada).json()["id"]
    with practice_scope(practice, actor=SETUP):
        Membership.objects.filter(user=owner.user).update(roles=["provider"])
    run_jobs()
    assert status_of(client_for("owner", practice), export) == ("failed", "not_allowed")
    assert list(store.rglob("exports/*")) == []


def test_store_that_is_down_is_tried_again_and_given_up_at_last(
    practice: Practice, ada: Patient, owner: MemberClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(owner, ada).json()["id"]

    def down(*args: Any, **kwargs: Any) -> None:
        raise RetryableVendorError("s3", "503")

    monkeypatch.setattr(LocalFiles, "save", down)
    with pytest.raises(RetryableVendorError):
        run_jobs()
    assert status_of(owner, export) == ("queued", "")
    run_jobs(attempts=MAX_ATTEMPTS - 1)
    assert status_of(owner, export) == ("failed", "s3:503")


def test_document_whose_bytes_are_gone_does_not_keep_the_rest_back(
    practice: Practice, ada: Patient, owner: MemberClient, store: Path, settings: Settings
) -> None:
    document = added(owner, ada).json()
    for path in store.rglob("documents/*"):
        path.unlink()
    export = ask(owner, ada).json()["id"]
    run_jobs()
    assert json.loads(fetched(owner, export).read("missing-documents.json")) == [f"documents/{document['id']}.pdf"]


def test_copy_of_somebody_who_is_erased_while_it_is_packed_is_not_kept(
    practice: Practice, ada: Patient, owner: MemberClient, store: Path
) -> None:
    ask(owner, ada)

    def erase_now(**kwargs: Any) -> None:
        assert erase(patient_id=ada.pk, by=SETUP)

    patient_data_exported.connect(erase_now)
    try:
        run_jobs()
    finally:
        patient_data_exported.disconnect(erase_now)
    with practice_scope(practice, actor=SETUP):
        copy = PatientExport.objects.get()
        assert (copy.status, copy.error_code) == ("failed", "erased")
    assert [path for path in store.rglob("exports/*") if path.is_file()] == []


def test_copy_that_nobody_makes_any_more_says_so(
    practice: Practice, ada: Patient, owner: MemberClient, store: Path
) -> None:
    left, young = (ask(owner, ada).json()["id"] for _ in range(2))
    with practice_scope(practice, actor=SETUP):
        models.QuerySet(PatientExport).filter(pk=left).update(created_at=timezone.now() - timedelta(hours=25))
        LocalFiles.from_settings().save(
            PatientExport.objects.get(pk=left).key, io.BytesIO(b"PK"), content_type="application/zip"
        )
    remove_expired_exports(timestamp=0)
    assert [status_of(owner, each) for each in (left, young)] == [("failed", "abandoned"), ("queued", "")]
    assert [path for path in store.rglob("exports/*") if path.is_file()] == []
