"""Rules of everything that hangs on a patient."""

from django.db import transaction

from patients.models import ContactPoint, Patient, PatientIdentifier
from patients.problems import PatientMerged
from practices.tenancy import Actor


@transaction.atomic
def remove(*, row: ContactPoint | PatientIdentifier, by: Actor) -> None:
    """Raises PatientMerged."""
    refuse_merged(row.patient)
    row.delete()


def refuse_merged(patient: Patient) -> None:
    if patient.status == Patient.Status.MERGED:
        raise PatientMerged
