"""/imports: an uploaded file, a trial, the run itself, and what its rows broke."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, models
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import Membership
from audit.models import AuditEvent
from integrations.errors import RetryableVendorError
from integrations.imports import running
from integrations.models import ImportJob, StoredFile
from integrations.storage.console import LocalFiles
from integrations.tasks import MAX_ATTEMPTS, give_up_imports, run_import
from patients.models import Patient
from practices.models import Practice
from practices.signals import bulk_created
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_for
from tests.factories.patients import PatientFactory
from tests.integrations.test_documents import API, code, path_of, store
from tests.integrations.test_documents import uploaded as uploaded_document
from tests.rows import SETUP

__all__ = ["store"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
FILE = b"given_name,family_name\nAda,Byron\nBo,\nCy,Fo\n"


@pytest.fixture
def owner(practice: Practice) -> MemberClient:
    return client_for("owner", practice)


def uploaded(client: MemberClient, content: bytes = FILE) -> str:
    form = client.post(f"{API}/imports/uploads", {"filename": "people.csv", "size": len(content)}).json()
    sent = {**form["fields"], "file": SimpleUploadedFile("x", content)}
    assert Client().post(urlsplit(form["url"]).path, sent).status_code == 204
    return str(form["id"])


def started(client: MemberClient, upload: str, **options: Any) -> str:
    answer = client.post(f"{API}/imports", {"upload": upload, **options})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued"), answer.content
    assert answer["Location"] == f"{API}/imports/{answer.json()['id']}"
    return str(answer.json()["id"])


def run_jobs(*, attempts: int = 0) -> None:
    context: Any = SimpleNamespace(job=SimpleNamespace(attempts=attempts))
    for job in ProcrastinateJob.objects.filter(task_name=run_import.name):
        run_import(context, **job.args)


def told(client: MemberClient, job: str) -> dict[str, Any]:
    shown = client.get(f"{API}/imports/{job}").json()
    return {name: shown[name] for name in ("status", "rows", "created", "skipped", "failed", "error_code")}


def test_trial_says_what_is_wrong_and_the_run_creates_what_is_sound(practice: Practice, owner: MemberClient) -> None:
    upload = uploaded(owner)
    trial = started(owner, upload)
    [job] = ProcrastinateJob.objects.filter(task_name=run_import.name)
    assert job.args == {"practice_id": str(practice.pk), "import_id": trial}
    run_jobs()
    counts = {"rows": 3, "created": 2, "skipped": 0, "failed": 1}
    assert told(owner, trial) == {"status": "done", **counts, "error_code": ""}
    errors = owner.get(f"{API}/import-errors", {"job": trial}).json()["results"]
    assert [(each["line"], each["field"], each["code"]) for each in errors] == [(3, "family_name", "blank")]
    assert owner.get(f"{API}/patients").json()["results"] == []
    whole, sound = started(owner, upload, dry_run=False), started(owner, upload, dry_run=False, mode="valid_rows")
    run_jobs()
    run_jobs()  # what ended isn't run again
    assert told(owner, whole) == {"status": "done", **counts, "error_code": ""} | {"created": 0}
    assert told(owner, sound) == {"status": "done", **counts, "error_code": ""}
    assert {each["given_name"] for each in owner.get(f"{API}/patients").json()["results"]} == {"Ada", "Cy"}
    with practice_scope(practice, actor=SETUP):
        created = AuditEvent.objects.filter(entity="patients.patient", action="create")
        assert {each.actor_id for each in created} == {owner.user.pk}
        assert "Byron" not in str(list(ImportJob.objects.values()))


@pytest.mark.parametrize(
    ("content", "options", "error"),
    [
        (b"a,b\n1,2\n", {}, "required_field_missing"),
        (b"\xff\xfe", {}, "not_utf8"),
        (FILE, {"mapping": {"Vorname": "given_name"}}, "unknown_heading"),
    ],
)
def test_file_that_can_t_be_read_fails_with_its_reason(
    owner: MemberClient, content: bytes, options: dict[str, Any], error: str
) -> None:
    job = started(owner, uploaded(owner, content), **options)
    run_jobs()
    assert (told(owner, job)["status"], told(owner, job)["error_code"]) == ("failed", error)


def test_what_can_t_be_asked_for_is_refused(practice: Practice, owner: MemberClient) -> None:
    upload = uploaded(owner)
    for body, expected in (
        ({"mapping": {"a": "password"}}, "invalid_choice"),
        ({"mapping": {"a" * 101: "mrn"}}, "too_large"),
        ({"mode": "some"}, "invalid_choice"),
        ({"upload": uploaded_document(owner)}, "does_not_exist"),
        ({"upload": uploaded(client_for("owner", practice))}, "does_not_exist"),
    ):
        assert code(owner.post(f"{API}/imports", {"upload": upload, **body})) == (400, expected)
    with practice_scope(practice, actor=SETUP):
        ada = PatientFactory.create()
    body = {"upload": upload, "title": "Letter", "category": "letter"}
    assert code(owner.post(path_of(ada), body)) == (400, "unsupported_type")


def test_other_roles_and_strangers_import_nothing(
    practice: Practice, other_practice: Practice, owner: MemberClient
) -> None:
    upload = uploaded(owner)
    job = started(owner, upload)
    for role in ("provider", "assistant", "front_desk", "biller", "auditor"):
        client = client_for(role, practice)
        answers = [client.post(f"{API}/imports/uploads", {"filename": "x", "size": 1})]
        answers += [client.post(f"{API}/imports", {"upload": upload}), client.get(f"{API}/imports")]
        answers += [client.get(f"{API}/imports/{job}"), client.get(f"{API}/import-errors")]
        assert [each.status_code for each in answers] == [403] * 5, role
    stranger = client_for(["owner", "provider"], other_practice)
    assert code(stranger.post(f"{API}/imports", {"upload": upload})) == (400, "does_not_exist")
    assert stranger.get(f"{API}/imports/{job}").status_code == 404
    assert stranger.get(f"{API}/import-errors", {"job": job}).json()["results"] == []


def test_nothing_is_imported_for_who_is_an_owner_no_more(practice: Practice, owner: MemberClient) -> None:
    job = started(owner, uploaded(owner), dry_run=False, mode="valid_rows")
    with practice_scope(practice, actor=SETUP):
        Membership.objects.filter(user=owner.user).update(roles=["provider"])
    run_jobs()
    assert told(client_for("owner", practice), job)["error_code"] == "not_allowed"
    with practice_scope(practice, actor=SETUP):
        assert not Patient.objects.exists()


def test_store_that_is_down_is_tried_again_and_given_up_at_last(
    owner: MemberClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = started(owner, uploaded(owner))

    def down(*args: Any) -> bytes:
        raise RetryableVendorError("s3", "503")

    monkeypatch.setattr(LocalFiles, "read", down)
    with pytest.raises(RetryableVendorError):
        run_jobs()
    assert told(owner, job)["status"] == "running"
    run_jobs(attempts=MAX_ATTEMPTS - 1)
    assert (told(owner, job)["status"], told(owner, job)["error_code"]) == ("failed", "s3:503")


def test_import_that_nobody_runs_any_more_says_so(practice: Practice, owner: MemberClient) -> None:
    left, young = (started(owner, uploaded(owner)) for _ in range(2))
    with practice_scope(practice, actor=SETUP):
        models.QuerySet(ImportJob).filter(pk=left).update(updated_at=timezone.now() - timedelta(hours=25))
    give_up_imports(timestamp=0)
    assert [(told(owner, each)["status"], told(owner, each)["error_code"]) for each in (left, young)] == [
        ("failed", "abandoned"),
        ("queued", ""),
    ]


def test_upload_without_bytes_fails_and_a_thousand_errors_are_kept(
    practice: Practice, owner: MemberClient, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "KEPT_ERRORS", 2)
    many, gone = started(owner, uploaded(owner, b"given_name,family_name\n" + b"x,\n" * 5)), uploaded(owner)
    with practice_scope(practice, actor=SETUP):
        (store / "files" / StoredFile.objects.get(pk=gone).key).unlink()
    empty = started(owner, gone)
    run_jobs()
    assert told(owner, many)["failed"] == 5
    assert len(owner.get(f"{API}/import-errors", {"job": many}).json()["results"]) == 2
    assert told(owner, empty)["error_code"] == "upload_missing"


@pytest.mark.django_db(transaction=True)
def test_how_much_is_written_is_seen_before_all_of_it_is(
    owner: MemberClient, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patients.imports.running.BATCH", 1)
    job, seen = started(owner, uploaded(owner, FILE.replace(b"Bo,", b"Bo,Ek")), dry_run=False), list[Any]()

    def look() -> None:
        try:
            with practice_scope(practice, actor=SETUP):
                seen.append(ImportJob.objects.values_list("status", "rows", "created").get(pk=job))
        finally:
            connection.close()

    def elsewhere(**kwargs: Any) -> None:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    bulk_created.connect(elsewhere, sender=Patient)
    try:
        run_jobs()
    finally:
        bulk_created.disconnect(elsewhere, sender=Patient)
    assert seen == [("running", 3, 0), ("running", 1, 0), ("running", 2, 0)]
    assert told(owner, job)["created"] == 3
