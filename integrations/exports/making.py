"""The job that copies all that is kept about a patient: read in one transaction, packed and stored outside any.

Nothing is held in memory but a row or one document at a time; the archive grows in an unnamed file of the worker's.
"""

import hashlib
import mimetypes
import tempfile
from collections.abc import Iterable
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

import structlog
from django.conf import settings
from django.utils import timezone

from accounts.identity import living_membership
from accounts.roles import Access, Area, allowed
from config.api.rendering import dumps
from integrations.errors import PermanentVendorError, VendorError
from integrations.models import PatientExport, StoredFile
from integrations.storage import get_file_store
from patients.belongings import same_person
from patients.models import PatientDocument
from patients.record import record_of
from patients.signals import patient_data_exported
from practices.tenancy import Actor, practice_scope

logger = structlog.get_logger(__name__)
WORKER = Actor.system("worker")
Status = PatientExport.Status


def make(*, practice_id: UUID, export_id: UUID, last_attempt: bool) -> None:
    """Run again, it puts the same file in the same place. Raises VendorError unless this was the last attempt."""
    with tempfile.TemporaryFile() as file:
        try:
            made = _pack(file, practice_id, export_id)
            if made is None:
                return
            get_file_store().save(made["key"], file, content_type="application/zip")
        except VendorError as error:
            final = last_attempt or isinstance(error, PermanentVendorError)
            if final:
                _end(practice_id, export_id, Status.FAILED, error_code=f"{error.vendor}:{error.code}"[:100])
            logger.warning("patient_export_refused", export_id=str(export_id), code=error.code, final=final)
            if not final:
                raise
            return
        except Exception:
            _end(practice_id, export_id, Status.FAILED, error_code="internal_error")
            raise
    expires_at = timezone.now() + settings.PATIENT_EXPORT_LIFETIME
    facts = {"size": made["size"], "sha256": made["sha256"], "expires_at": expires_at}
    if not _end(practice_id, export_id, Status.READY, **facts):
        get_file_store().delete(made["key"])


def _pack(file: IO[bytes], practice_id: UUID, export_id: UUID) -> dict[str, Any] | None:
    """The archive, and what is to be said about it; None when there is nothing to do any more."""
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        with practice_scope(practice_id, actor=WORKER):
            export = PatientExport.objects.select_for_update(of=("self",)).select_related("patient").get(pk=export_id)
            if export.status != Status.QUEUED:
                return None
            if not _may_still_have(export):
                export.end(Status.FAILED, error_code="not_allowed")
                return None
            people = same_person(export.patient)
            for name, rows in record_of(people):
                _write_rows(archive, f"{name}.json", rows)
            documents = list(_documents(people))
            patient_data_exported.send(PatientExport, patient_ids=people)
        missing = [name for name, key in documents if not _add_document(archive, name, key)]
        archive.writestr("missing-documents.json", dumps(missing))
    size = file.tell()
    file.seek(0)
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # a binary file
    file.seek(0)
    return {"key": export.key, "size": size, "sha256": sha256}


def _may_still_have(export: PatientExport) -> bool:
    """Whoever asked may have lost the role, and the patient may have become one whom they don't see."""
    member = living_membership(practice_id=export.practice_id, user_id=export.requested_by_id)
    roles = tuple(member.roles) if member is not None else ()
    actor = Actor.user(export.requested_by_id, roles)
    return allowed(roles, Area.EXPORT, Access.FULL) and export.patient.visible_to(actor)


def _write_rows(archive: ZipFile, name: str, rows: Iterable[Any]) -> None:
    with archive.open(name, "w", force_zip64=True) as entry:
        entry.write(b"[")
        for number, row in enumerate(rows):
            entry.write((b",\n" if number else b"\n") + dumps(row))
        entry.write(b"\n]\n")


def _documents(people: list[UUID]) -> Iterable[tuple[str, str]]:
    """Name in the archive, the document's id, and key in the store."""
    kept = PatientDocument.objects.filter(patient__in=people, file__status=StoredFile.Status.KEPT)
    for pk, content_type, key in kept.order_by("pk").values_list("pk", "file__content_type", "file__key"):
        yield f"documents/{pk}{mimetypes.guess_extension(content_type) or ''}", key


def _add_document(archive: ZipFile, name: str, key: str) -> bool:
    """False when the store has it no more: the patient gets the rest nevertheless."""
    store = get_file_store()
    if store.facts(key) is None:
        return False
    archive.writestr(name, store.read(key))
    return True


def _end(practice_id: UUID, export_id: UUID, status: str, **facts: Any) -> bool:
    """False when it ended otherwise meanwhile: the patient may have been erased while their copy was packed."""
    with practice_scope(practice_id, actor=WORKER):
        export = PatientExport.objects.select_for_update().get(pk=export_id)
        if export.status != Status.QUEUED:
            return False
        export.end(status, **facts)
    return True
