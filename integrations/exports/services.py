from datetime import datetime

from django.db import transaction
from django.utils import timezone

from config.api.problem import Conflict, Forbidden, Unavailable
from integrations.errors import VendorError
from integrations.models import PatientExport
from integrations.queue import enqueue
from integrations.storage import DEFAULT_EXPIRY, get_file_store
from integrations.tasks import make_patient_export
from patients.models import Patient
from patients.services.parts import refuse_merged
from practices.tenancy import Actor


class ExportNotReady(Conflict):
    code = "export_not_ready"
    default_detail = "There is no copy to fetch: it is being made, it failed, or it was removed already."


@transaction.atomic
def request_export(*, patient: Patient, by: Actor) -> PatientExport:
    """A job makes the copy. Raises PatientMerged; Forbidden when `by` is no user."""
    if by.id is None:
        raise Forbidden()
    refuse_merged(patient)
    export: PatientExport = PatientExport.objects.create(patient=patient, requested_by_id=by.id)
    enqueue(make_patient_export, {"practice_id": str(export.practice_id), "export_id": str(export.pk)})
    return export


def link_to(export: PatientExport) -> tuple[str, datetime]:
    """Where the copy can be fetched for a few minutes. Raises ExportNotReady, Unavailable."""
    now = timezone.now()
    if export.status != PatientExport.Status.READY or export.expires_at is None or export.expires_at <= now:
        raise ExportNotReady
    expires_in = min(DEFAULT_EXPIRY, export.expires_at - now)
    try:
        url = get_file_store().presign_download(export.key, filename=f"{export.pk}.zip", expires_in=expires_in)
    except VendorError as error:
        raise Unavailable() from error
    return url, now + expires_in
