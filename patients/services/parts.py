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


def lock_unmerged(patient: Patient) -> Patient:
    """The patient as it is now, locked: whoever else changes this chart waits. Raises PatientMerged."""
    locked: Patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
    refuse_merged(locked)
    return locked
