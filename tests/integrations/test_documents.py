import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from integrations.documents import services
from integrations.models import StoredFile
from integrations.models.stored_file import kept_key
from integrations.storage import get_file_store
from integrations.tasks import discard_unused_files
from patients.models import Patient, PatientDocument
from practices.models import Practice
from practices.tenancy import Actor, current_actor, practice_scope
from tests.clients import MemberClient, client_for
from tests.factories.patients import PatientFactory
from tests.rows import SETUP, make_row

API = "/api/v1"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
FILE = {"filename": "Scan of Ada.pdf", "content_type": "application/pdf", "size": len(PDF)}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def store(settings: Settings, tmp_path: Path) -> Path:
    settings.STORAGE_VENDOR = "console"
    settings.STATE_DIR = tmp_path
    settings.PUBLIC_URL = "http://testserver"
    return tmp_path


@pytest.fixture
def ada(practice: Practice) -> Patient:
    with practice_scope(practice, actor=SETUP):
        return PatientFactory.create(given_name="Ada", family_name="Byron")


def path_of(patient: Patient, *parts: str) -> str:
    return "/".join([API, "patients", str(patient.pk), "documents", *parts])


def announced(client: MemberClient, **changes: Any) -> dict[str, Any]:
    response = client.post(f"{API}/documents/uploads", {**FILE, **changes})
    assert response.status_code == 201, response.content
    form: dict[str, Any] = response.json()
    return form


def uploaded(client: MemberClient, content: bytes = PDF, **changes: Any) -> str:
    """The id of an upload whose bytes have arrived."""
    form = announced(client, **changes)
    sent = {**form["fields"], "file": SimpleUploadedFile("x", content)}
    assert Client().post(urlsplit(form["url"]).path, sent).status_code == 204
    return str(form["id"])


def added(client: MemberClient, patient: Patient, **changes: Any) -> Any:
    body = {"title": "Letter", "category": "letter", **changes}
    return client.post(path_of(patient), {"upload": uploaded(client), **body})


def code(response: Any) -> tuple[int, str]:
    problem = response.json()
    return response.status_code, (problem.get("errors") or [problem])[0]["code"]


def test_document_is_uploaded_added_and_fetched(practice: Practice, ada: Patient, store: Path) -> None:
    desk = client_for("front_desk", practice)
    response = added(desk, ada)
    assert response.status_code == 201, response.content
    document = response.json()
    assert document["file"] == {**FILE, "sha256": hashlib.sha256(PDF).hexdigest()}
    assert (document["sensitivity"], document["added_by"]) == ("normal", str(desk.user.pk))
    assert desk.get(path_of(ada)).json()["results"] == [document]
    link = desk.get(path_of(ada, document["id"], "download")).json()["url"]
    fetched = Client().get(urlsplit(link).path)
    assert b"".join(fetched.streaming_content) == PDF  # type: ignore[attr-defined]  # a file's response
    assert fetched["Content-Disposition"] == 'attachment; filename="Scan of Ada.pdf"'
    changed = desk.patch(path_of(ada, document["id"]), {"status": "superseded"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert not [path for path in store.rglob("*") if "Ada" in path.name]


def test_form_can_not_replace_what_is_in_a_chart(practice: Practice, ada: Patient) -> None:
    desk = client_for("front_desk", practice)
    form = announced(desk)
    put = {**form["fields"], "file": SimpleUploadedFile("x", PDF)}
    Client().post(urlsplit(form["url"]).path, put)
    document = desk.post(path_of(ada), {"upload": form["id"], "title": "Letter", "category": "letter"}).json()
    Client().post(urlsplit(form["url"]).path, {**form["fields"], "file": SimpleUploadedFile("x", b"%PDF-other")})
    link = desk.get(path_of(ada, document["id"], "download")).json()["url"]
    assert b"".join(Client().get(urlsplit(link).path).streaming_content) == PDF  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"content_type": "text/html"}, (400, "unsupported_type")),
        ({"content_type": "image/svg+xml"}, (400, "unsupported_type")),
        ({"size": 15 * 1024 * 1024 + 1}, (400, "too_large")),
        ({"size": 0}, (400, "min_value")),
        ({"patient": "x"}, (400, "unknown_field")),
    ],
)
def test_upload_of_a_wrong_kind_is_refused(
    practice: Practice, changes: dict[str, Any], refusal: tuple[int, str]
) -> None:
    desk = client_for("front_desk", practice)
    assert code(desk.post(f"{API}/documents/uploads", {**FILE, **changes})) == refusal


@pytest.mark.parametrize(
    "content", [b"<html><script>alert(1)</script></html>", b"MZ\x90\x00", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"]
)
def test_file_that_is_not_what_it_says_is_refused(practice: Practice, ada: Patient, content: bytes) -> None:
    desk = client_for("front_desk", practice)
    body = {"upload": uploaded(desk, content), "title": "Letter", "category": "letter"}
    assert code(desk.post(path_of(ada), body)) == (400, "content_mismatch")
    with practice_scope(practice, actor=SETUP):
        assert StoredFile.objects.get().status == "announced"


def test_upload_is_needed_used_once_and_ones_own(practice: Practice, ada: Patient, other_practice: Practice) -> None:
    desk = client_for("front_desk", practice)
    body = {"title": "Letter", "category": "letter"}
    assert code(desk.post(path_of(ada), {**body, "upload": announced(desk)["id"]})) == (409, "upload_missing")
    used = uploaded(desk)
    assert desk.post(path_of(ada), {**body, "upload": used}).status_code == 201
    assert code(desk.post(path_of(ada), {**body, "upload": used})) == (400, "used")
    for other in (client_for("front_desk", practice), client_for("front_desk", other_practice)):
        assert code(desk.post(path_of(ada), {**body, "upload": uploaded(other)})) == (400, "does_not_exist")


def test_restricted_document_is_for_who_reads_notes(practice: Practice, ada: Patient) -> None:
    author, colleague = client_for("provider", practice), client_for("provider", practice)
    owner, assistant = client_for("owner", practice), client_for("assistant", practice)
    document = added(author, ada, sensitivity="restricted").json()
    path = path_of(ada, document["id"])
    for hidden in (owner, client_for("front_desk", practice)):
        assert [hidden.get(each).status_code for each in (path, f"{path}/download")] == [404, 404]
        assert hidden.get(path_of(ada)).json()["results"] == []
        assert hidden.patch(path, {"title": "Mine"}).status_code == 404
    assert [each.get(path).status_code for each in (colleague, assistant)] == [200, 200]
    assert [each.patch(path, {"title": "Mine"}).status_code for each in (colleague, assistant)] == [403, 403]
    assert author.patch(path, {"title": "Report"}).json()["title"] == "Report"
    assert added(owner, ada, sensitivity="restricted").status_code == 403
    normal = added(author, ada).json()
    assert owner.patch(path_of(ada, normal["id"]), {"sensitivity": "restricted"}).status_code == 403


def test_documents_of_a_patient_one_may_not_see_are_not_there(
    practice: Practice, other_practice: Practice, ada: Patient
) -> None:
    document = added(client_for("owner", practice), ada).json()
    with practice_scope(practice, actor=SETUP):
        Patient.objects.filter(pk=ada.pk).update(restricted=True)
    for client in (client_for(["owner", "provider"], other_practice), client_for("front_desk", practice)):
        for path in (path_of(ada), path_of(ada, document["id"]), path_of(ada, document["id"], "download")):
            assert client.get(path).status_code == 404
        assert added(client, ada).status_code == 404


def test_biller_reads_documents_and_adds_none(practice: Practice, ada: Patient) -> None:
    biller = client_for("biller", practice)
    assert biller.get(path_of(ada)).status_code == 200
    assert biller.post(f"{API}/documents/uploads", FILE).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_chart_is_locked_only_once_the_store_has_answered(practice: Practice, ada: Patient, store: Path) -> None:
    desk = client_for("front_desk", practice)
    upload = uploaded(desk)
    with busy(practice, ada), practice_scope(practice, actor=Actor.user(desk.user.pk, ("front_desk",))):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '100ms'")
        file = StoredFile.objects.get(pk=upload)
        with pytest.raises(OperationalError, match="lock timeout"), transaction.atomic():
            services.add_document(patient=ada, by=current_actor(), upload=file, title="Letter", category="letter")
    assert len(list(store.rglob("documents/*"))) == 2  # the bytes, and their type beside them
    body = {"upload": upload, "title": "Letter", "category": "letter"}
    assert desk.post(path_of(ada), body).status_code == 201
    assert [len(list(store.rglob(f"{folder}/*"))) for folder in ("documents", "uploads")] == [2, 0]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_written_while_the_store_works(
    practice: Practice, ada: Patient, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that has a number and stays open holds back the seals of all practices."""
    desk, numbers = client_for("front_desk", practice), list[Any]()
    kept: Any = services._keep

    def keep(file: StoredFile) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id_if_assigned()")
            numbers.extend(cursor.fetchone())
        kept(file)

    monkeypatch.setattr(services, "_keep", keep)
    assert added(desk, ada).status_code == 201
    with practice_scope(practice, actor=Actor.user(desk.user.pk, ("front_desk",))) as scope:
        sent = SimpleUploadedFile("letter.pdf", PDF, content_type="application/pdf")
        services.upload_document(patient=ada, by=scope.actor, file=sent, title="Letter", category="letter")
    assert numbers == [None, None]


@contextmanager
def busy(practice: Practice, patient: Patient) -> Iterator[None]:
    """Somebody else is working on the chart."""
    locked, done = threading.Event(), threading.Event()

    def work() -> None:
        try:
            with practice_scope(practice, actor=SETUP):
                Patient.objects.select_for_update(of=("self",)).get(pk=patient.pk)
                locked.set()
                done.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert locked.wait(10)
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_bytes_that_no_row_tells_of_are_removed(practice: Practice, ada: Patient, store: Path) -> None:
    def put(folder: str, *, minutes: int, key: str = "") -> str:
        made = timezone.now() - timedelta(minutes=minutes)
        key = key or f"{practice.pk}/{folder}/{UUID(int=int(made.timestamp() * 1000) << 80 | 1)}"
        get_file_store().save(key, io.BytesIO(PDF), content_type="application/pdf")
        return key

    lost, young, waiting, kept = (put("uploads", minutes=minutes) for minutes in (90, 50, 91, 92))
    stray = put("uploads", minutes=0, key=f"{practice.pk}/uploads/stray")
    for key in (lost, waiting, kept):
        put("documents", minutes=0, key=kept_key(key))
    desk = client_for("front_desk", practice)
    with practice_scope(practice, actor=SETUP):
        row = {"filename": "x", "content_type": "application/pdf", "size": 1, "uploaded_by": desk.user}
        StoredFile.objects.create(key=waiting, **row)
        file = StoredFile.objects.create(key=kept_key(kept), status="kept", sha256="0" * 64, **row)
        make_row(PatientDocument, patient=ada, file=file)
    discard_unused_files(timestamp=0)
    found = {str(path.relative_to(store / "files")) for path in store.rglob("*") if path.is_file()}
    left = {stray, young, waiting, kept_key(waiting), kept_key(kept)}
    assert found == left | {f"{key}~type" for key in left}
