"""Copies of charts don't outlive their purpose."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from integrations.models import PatientExport
from integrations.storage import get_file_store
from practices.tenancy import Actor, practice_scope

WORKER = Actor.system("worker")
BATCH = 100
ABANDONED_AFTER = timedelta(days=1)
"""Its job has tried for some hours at most; a worker that was killed while it ended may have left a file."""
Status = PatientExport.Status


def remove_expired(practice_id: UUID) -> None:
    """First the file, then its row says so: a run that is cut off between the two removes it again."""
    with practice_scope(practice_id, actor=WORKER):
        expired = PatientExport.objects.filter(status=Status.READY, expires_at__lte=timezone.now())
        found = list(expired.order_by("expires_at").values_list("pk", "key")[:BATCH])
    for pk, key in found:
        get_file_store().delete(key)
        with practice_scope(practice_id, actor=WORKER):
            PatientExport.objects.select_for_update().get(pk=pk).end(Status.EXPIRED)


def give_up_abandoned(practice_id: UUID) -> None:
    """Those that nobody is making any more say so, instead of being under way for good."""
    with practice_scope(practice_id, actor=WORKER):
        left = PatientExport.objects.filter(status=Status.QUEUED, created_at__lt=timezone.now() - ABANDONED_AFTER)
        found = list(left.order_by("created_at").values_list("pk", "key")[:BATCH])
    for pk, key in found:
        with practice_scope(practice_id, actor=WORKER):
            export = PatientExport.objects.select_for_update().get(pk=pk)
            if export.status == Status.QUEUED:
                export.end(Status.FAILED, error_code="abandoned")
        get_file_store().delete(key)
