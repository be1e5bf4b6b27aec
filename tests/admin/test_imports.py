"""Imports on the pages: a file, a trial, what its rows broke, and the run itself."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from integrations.models import ImportJob, ImportRowError
from patients.models import Patient
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.admin.pages import AdminClient, staff, url
from tests.integrations.test_documents import store
from tests.integrations.test_imports import run_jobs
from tests.rows import SETUP, make_row

__all__ = ["store"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

ADD = "/admin/integrations/importjob/add/"
FILE = b"First,Last\nAda,Byron\nBo,\nCy,Fo\n"
COLUMNS = "First = given_name\nLast = family_name"
ANSWERS = {"mapping": COLUMNS, "mode": "valid_rows", "duplicates": "refuse"}


def sent(client: AdminClient, content: bytes = FILE, **changes: Any) -> Any:
    file = SimpleUploadedFile("people.csv", content, content_type="application/vnd.ms-excel")
    return client.post(ADD, {**ANSWERS, "dry_run": "on", "file": file, **changes})


def jobs(practice: Practice) -> list[ImportJob]:
    with practice_scope(practice, actor=SETUP):
        return list(ImportJob.objects.order_by("created_at"))


def test_file_is_tried_and_then_imported(practice: Practice) -> None:
    owner = staff("owner", practice)
    started = sent(owner)
    (trial,) = jobs(practice)
    page = url(ImportJob, "change", trial.pk)
    assert (started["Location"], owner.get(page)["Refresh"]) == (page, "3")
    run_jobs()
    done = owner.get(page)
    text = done.content.decode()
    assert ("Refresh" in done.headers, "<td>Line 3</td><td>Family name</td><td>Blank</td>" in text) == (False, True)
    with practice_scope(practice, actor=SETUP):
        assert not Patient.objects.exists()
    run = url(ImportJob, "do", trial.pk, "import")
    assert run in text
    assert "First = given_name" in owner.get(run).content.decode()
    begun = owner.post(run, ANSWERS)
    _, job = jobs(practice)
    assert (begun["Location"], job.dry_run, job.mapping) == (
        url(ImportJob, "change", job.pk),
        False,
        {"First": "given_name", "Last": "family_name"},
    )
    run_jobs()
    with practice_scope(practice, actor=SETUP):
        assert sorted(str(each) for each in Patient.objects.all()) == ["Byron, Ada", "Fo, Cy"]
    assert run.replace(str(trial.pk), str(job.pk)) not in owner.get(begun["Location"]).content.decode()
    errors = owner.get(url(ImportRowError, "changelist"), {"job__id__exact": str(job.pk)})
    assert errors.context["cl"].result_count == 1


def test_only_whom_the_file_is_from_runs_it_again(practice: Practice) -> None:
    owner, other = staff("owner", practice), staff("admin", practice)
    sent(owner)
    run_jobs()
    (trial,) = jobs(practice)
    again = url(ImportJob, "do", trial.pk, "trial")
    assert (again in owner.get(url(ImportJob, "change", trial.pk)).content.decode()) is True
    assert (again in other.get(url(ImportJob, "change", trial.pk)).content.decode()) is False
    assert (other.post(again, ANSWERS).status_code, len(jobs(practice))) == (403, 1)


def test_file_that_can_not_be_read_says_why(practice: Practice) -> None:
    owner = staff("owner", practice)
    sent(owner, mapping="Surname = family_name")
    run_jobs()
    (job,) = jobs(practice)
    assert "Unknown heading" in owner.get(url(ImportJob, "change", job.pk)).content.decode()


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"mapping": "Last = surname"}, "mapping"), ({"content": b""}, "file"), ({"mode": "some"}, "mode")],
)
def test_wrong_answers_are_refused_in_the_form(practice: Practice, changes: dict[str, Any], field: str) -> None:
    response = sent(staff("owner", practice), **changes)
    assert (list(response.context["adminform"].form.errors), jobs(practice)) == ([field], [])


@pytest.mark.parametrize("role", ["provider", "front_desk", "biller", "auditor"])
def test_others_neither_import_nor_look(role: str, practice: Practice) -> None:
    client = staff(role, practice)
    with practice_scope(practice, actor=SETUP):
        job, error = make_row(ImportJob), make_row(ImportRowError)
    assert (sent(client).status_code, client.get(url(ImportJob, "change", job.pk)).status_code) == (403, 403)
    assert client.post(url(ImportJob, "do", job.pk, "trial"), ANSWERS).status_code == 403
    assert client.get(url(ImportRowError, "change", error.pk)).status_code == 403
