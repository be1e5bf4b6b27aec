"""Copies of charts don't outlive their purpose."""

from uuid import UUID

from django.utils import timezone

from integrations.models import PatientExport
from integrations.storage import get_file_store
from practices.tenancy import Actor, practice_scope

WORKER = Actor.system("worker")
BATCH = 100


def remove_expired(practice_id: UUID) -> None:
    """First the file, then its row says so: a run that is cut off between the two removes it again."""
    with practice_scope(practice_id, actor=WORKER):
        expired = PatientExport.objects.filter(status=PatientExport.Status.READY, expires_at__lte=timezone.now())
        found = list(expired.order_by("expires_at").values_list("pk", "key")[:BATCH])
    for pk, key in found:
        get_file_store().delete(key)
        with practice_scope(practice_id, actor=WORKER):
            PatientExport.objects.select_for_update().get(pk=pk).end(PatientExport.Status.EXPIRED)
