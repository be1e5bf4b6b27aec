from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction

from config.api.problem import Forbidden
from integrations.documents.services import announce, receive
from integrations.models import ImportJob, StoredFile
from integrations.queue import enqueue
from integrations.storage import PresignedUpload
from integrations.tasks import run_import
from practices.tenancy import Actor

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

CONTENT_TYPE = "text/csv"
MAX_COLUMNS = 100


def is_reasonable(mapping: dict[str, str]) -> bool:
    return len(mapping) <= MAX_COLUMNS and all(len(heading) <= MAX_COLUMNS for heading in mapping)


def announce_file(*, by: Actor, filename: str, size: int) -> tuple[StoredFile, PresignedUpload, datetime]:
    """Where to put the file. Raises what announcing a document raises."""
    return announce(by=by, filename=filename, content_type=CONTENT_TYPE, size=size, allowed=(CONTENT_TYPE,))


def receive_file(*, by: Actor, file: "UploadedFile[bytes]") -> StoredFile:
    """A file that was sent to us. What a browser calls it depends on what else is installed there. Raises likewise."""
    return receive(by=by, file=file, content_type=CONTENT_TYPE, allowed=(CONTENT_TYPE,))


@transaction.atomic
def start(*, by: Actor, upload: StoredFile, **options: Any) -> ImportJob:
    """A job looks at the file, and creates the patients unless it is a trial run. One upload serves both, for a day.

    Raises ValidationError; Forbidden when `by` is no user.
    """
    if by.id is None:
        raise Forbidden()
    if upload.uploaded_by_id != by.id or upload.content_type != CONTENT_TYPE:
        raise ValidationError({"upload": ValidationError("There is no such object.", code="does_not_exist")})
    job: ImportJob = ImportJob.objects.create(upload=upload, requested_by_id=by.id, **options)
    enqueue(run_import, {"practice_id": str(job.practice_id), "import_id": str(job.pk)})
    return job
