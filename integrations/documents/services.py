"""Files of charts: announced, uploaded by the client itself, looked at, kept."""

import hashlib
import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from accounts.roles import Access, Area
from accounts.roles import allowed as role_allows
from config.api.problem import Conflict, Forbidden, Unavailable
from integrations.documents.sniffing import ALLOWED, content_type_of
from integrations.errors import VendorError
from integrations.models import StoredFile
from integrations.models.stored_file import kept_key
from integrations.storage import DEFAULT_EXPIRY, PresignedUpload, get_file_store
from patients import services as charts
from patients.models import Patient, PatientDocument
from patients.services.parts import refuse_closed
from practices.tenancy import Actor

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

USABLE_FOR = timedelta(days=1)
"""How long an upload waits for its chart; `discarding` removes it an hour later."""
RESTRICTED = PatientDocument.Sensitivity.RESTRICTED


class UploadMissing(Conflict):
    code = "upload_missing"
    default_detail = "Nothing was uploaded there yet."


@transaction.atomic
def announce(
    *, by: Actor, filename: str, content_type: str, size: int, allowed: Collection[str] = ALLOWED
) -> tuple[StoredFile, PresignedUpload, datetime]:
    """A place for a file of this type and at most this size, the form that puts it there, and until when.

    Raises ValidationError for types and sizes that aren't kept; Forbidden when `by` is no user.
    """
    file = _place(by, filename, content_type, size, allowed, "content_type", "size")
    file.save(force_insert=True)
    expires_at = timezone.now() + DEFAULT_EXPIRY
    with _vendor():
        form = get_file_store().presign_upload(file.key, content_type=content_type, max_bytes=size)
    return file, form, expires_at


@transaction.atomic
def receive(
    *, by: Actor, file: "UploadedFile[bytes]", content_type: str, allowed: Collection[str] = ALLOWED
) -> StoredFile:
    """A file that was sent to us, put where a form would have put it. A refusal is one of `upload`.

    If nothing is committed in the end, `discarding` finds the bytes. Raises what `announce` does.
    """
    place = _received(by, file, content_type, allowed)
    place.save(force_insert=True)
    return place


@transaction.atomic
def upload_document(*, patient: Patient, by: Actor, file: "UploadedFile[bytes]", **fields: Any) -> PatientDocument:
    """`receive` and `add_document` in one, the store first here as well. Raises what they do."""
    _check_may_add(patient, by, fields)
    upload = _received(by, file, file.content_type or "", ALLOWED)
    _keep(upload)
    upload.save(force_insert=True)
    row = PatientDocument(patient=patient, file=upload, added_by_id=upload.uploaded_by_id, **fields)
    return charts.add(row=row, by=by)


@transaction.atomic
def add_document(*, patient: Patient, by: Actor, upload: StoredFile, **fields: Any) -> PatientDocument:
    """Puts an uploaded file into a chart, if it is what was announced. Nothing is written, and no row locked, before
    the store has answered: a slow one keeps nobody from working on the chart, nor the worker from sealing the log.

    Raises UploadMissing, ValidationError, Forbidden, Unavailable, and what adding to a chart raises.
    """
    if by.id is None or upload.uploaded_by_id != by.id:
        raise _refused("upload", "does_not_exist", "There is no such object.")
    _check_may_add(patient, by, fields)
    _queue_up(upload)
    upload = StoredFile.objects.get(pk=upload.pk)
    if upload.status != StoredFile.Status.ANNOUNCED:
        raise _refused("upload", "used", "This upload is in a chart already.")
    if upload.content_type not in ALLOWED:
        raise _refused("upload", "unsupported_type", "This upload is for an import, not for a chart.")
    if upload.created_at < timezone.now() - USABLE_FOR:
        raise _refused("upload", "expired", "This upload was left for more than a day: upload the file again.")
    _keep(upload)
    upload.save(update_fields=["key", "size", "sha256", "status", "updated_at"])
    return charts.add(row=PatientDocument(patient=patient, file=upload, added_by_id=by.id, **fields), by=by)


@transaction.atomic
def change_document(*, document: PatientDocument, by: Actor, **changes: Any) -> PatientDocument:
    """Raises Forbidden for restricted ones that aren't `by`'s, and what changing a chart raises."""
    own = by.id is not None and document.added_by_id == by.id
    for sensitivity in (document.loaded_values["sensitivity"], changes.get("sensitivity", "")):
        _check_may_write(by, sensitivity, own=own)
    return charts.change(row=document, by=by, **changes)


def may_write_restricted(by: Actor, *, own: bool) -> bool:
    return role_allows(by.roles, Area.NOTES, Access.WRITE, own=own)


def link_to(document: PatientDocument) -> tuple[str, datetime]:
    """Where the file can be fetched for a few minutes. Raises Unavailable."""
    file: Any = document.file
    expires_at = timezone.now() + DEFAULT_EXPIRY
    with _vendor():
        return get_file_store().presign_download(file.key, filename=file.filename), expires_at


def _received(by: Actor, file: "UploadedFile[bytes]", content_type: str, allowed: Collection[str]) -> StoredFile:
    """The bytes are in the store; the row isn't saved yet, so that nothing is written while the store works."""
    place = _place(by, file.name or "", content_type, file.size or 0, allowed, "upload", "upload")
    with _vendor():
        get_file_store().save(place.key, io.BytesIO(file.read()), content_type=place.content_type)
    return place


def _place(
    by: Actor, filename: str, content_type: str, size: int, allowed: Collection[str], *fields: str
) -> StoredFile:
    """Not saved yet. `fields`: which one type and size were given in."""
    if content_type not in allowed:
        raise _refused(fields[0], "unsupported_type", f"Files of these types are kept: {', '.join(allowed)}.")
    if size > settings.MAX_DOCUMENT_BYTES:
        raise _refused(fields[1], "too_large", f"Files have at most {settings.MAX_DOCUMENT_BYTES} bytes.")
    if by.id is None:
        raise Forbidden()
    return StoredFile(filename=filename, content_type=content_type, size=size, uploaded_by_id=by.id)


def _queue_up(upload: StoredFile) -> None:
    """Of two who use the same upload the second sees what the first did."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"upload {upload.pk}"])


def _keep(file: StoredFile) -> None:
    """Looks at the bytes and copies them to a key that no form can write: the upload's could be replaced meanwhile.
    What is left to the caller is saving the row.
    """
    store, uploaded = get_file_store(), file.key
    with _vendor():
        facts = store.facts(uploaded)
        if facts is None:
            raise UploadMissing
        if facts.size > file.size:
            raise _refused("upload", "too_large", "More was uploaded than announced.")
        content = store.read(uploaded)
        if content_type_of(content) != file.content_type:
            raise _refused("upload", "content_mismatch", "The file is not of the type that it was said to be.")
        file.key = kept_key(uploaded)
        store.save(file.key, io.BytesIO(content), content_type=file.content_type)
    file.size, file.sha256, file.status = len(content), hashlib.sha256(content).hexdigest(), StoredFile.Status.KEPT
    transaction.on_commit(lambda: store.delete(uploaded), robust=True)


def _check_may_add(patient: Patient, by: Actor, fields: dict[str, Any]) -> None:
    """What can be known before a byte is moved; adding looks again."""
    refuse_closed(patient)
    _check_may_write(by, fields.get("sensitivity", ""), own=True)


def _check_may_write(by: Actor, sensitivity: str, *, own: bool) -> None:
    if sensitivity == RESTRICTED and not may_write_restricted(by, own=own):
        raise Forbidden()


def _refused(field: str, code: str, sentence: str) -> ValidationError:
    return ValidationError({field: ValidationError(sentence, code=code)})


@contextmanager
def _vendor() -> Iterator[None]:
    try:
        yield
    except VendorError as error:
        raise Unavailable() from error
