"""Files that are in no chart: uploads that somebody never finished, those whose transaction came to nothing after
their bytes had arrived, and what was of patients who are erased.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from integrations.documents.services import USABLE_FOR
from integrations.models import ImportJob, PatientExport, StoredFile
from integrations.models.stored_file import kept_key, upload_key
from integrations.storage import get_file_store
from patients.models import PatientDocument
from patients.signals import patient_erased
from practices import signals
from practices.tenancy import Actor, practice_scope

WORKER = Actor.system("worker")
MARGIN = timedelta(hours=1)
"""Nobody is still putting such an upload into a chart."""
BATCH = 500


def connect() -> None:
    patient_erased.connect(on_patient_erased, dispatch_uid="documents")


def on_patient_erased(sender: object, patient_ids: list[UUID], **kwargs: Any) -> None:
    """Files lose their names at once; their bytes go when the worker next looks for what is in no chart."""
    ids = list(StoredFile.objects.filter(documents__patient__in=patient_ids).values_list("pk", flat=True))
    if ids:
        _unannounced(ids).update(filename="", updated_at=Now())
        signals.rows_erased.send(StoredFile, ids=ids, patient_ids=patient_ids, emptied=["filename"])
    copies = PatientExport.objects.filter(patient__in=patient_ids)
    copies.filter(status=PatientExport.Status.READY).update(expires_at=timezone.now())
    copies.filter(status=PatientExport.Status.QUEUED).update(status=PatientExport.Status.FAILED, error_code="erased")


def discard_unused(practice_id: UUID) -> None:
    """First the bytes, then the row: a run that is cut off between the two does it again."""
    with practice_scope(practice_id, actor=WORKER):
        found = list(_unused().order_by("pk").values_list("pk", "key")[:BATCH])
    for pk, key in found:
        for place in (upload_key(key), kept_key(key)):
            get_file_store().delete(place)
        with practice_scope(practice_id, actor=WORKER):
            ImportJob.objects.filter(upload=pk).update(upload=None)
            row = _unannounced([pk])
            row._raw_delete(row.db)  # Django's own, which sends no signals with values
            signals.rows_erased.send(StoredFile, ids=[pk], patient_ids=[], emptied=None)


def discard_unknown(practice_id: UUID) -> None:
    """Bytes that no row tells of: each went through the folder of uploads, where hardly anything stays."""
    store = get_file_store()
    before = timezone.now() - MARGIN
    old = [key for key in store.keys(f"{practice_id}/uploads") if _was_made(key, before)]
    for start in range(0, len(old), BATCH):
        keys = old[start : start + BATCH]
        with practice_scope(practice_id, actor=WORKER):
            rows = StoredFile.objects.filter(key__in=[*keys, *map(kept_key, keys)])
            known = set(rows.values_list("key", flat=True))
        for key in keys:
            if key not in known:  # else somebody may be keeping it right now
                for place in {key, kept_key(key)} - known:
                    store.delete(place)


def _was_made(key: str, before: datetime) -> bool:
    """As the id at its end says; what has none is nothing that we made."""
    try:
        made_at = UUID(key.rpartition("/")[2]).int >> 80
    except ValueError:
        return False
    return made_at < before.timestamp() * 1000


def _unused() -> "QuerySet[StoredFile]":
    in_chart = PatientDocument.objects.filter(file=OuterRef("pk"))
    left = Q(status=StoredFile.Status.ANNOUNCED, created_at__lt=timezone.now() - USABLE_FOR - MARGIN)
    rows: QuerySet[StoredFile] = StoredFile.objects.filter(left | Q(status=StoredFile.Status.KEPT), ~Exists(in_chart))
    return rows


def _unannounced(ids: list[UUID]) -> "QuerySet[StoredFile]":
    """Without telling anybody what the rows held."""
    return QuerySet(StoredFile).filter(pk__in=ids)
