"""What is done to anything that hangs on a patient, and the rules for all of it."""

from typing import Any, TypeVar

from django.db import transaction

from patients.models import Patient
from patients.models.parts import PatientPart
from patients.problems import PatientArchived, PatientErased, PatientMerged
from practices.models import TenantModel
from practices.tenancy import Actor

PartT = TypeVar("PartT", bound=TenantModel)


@transaction.atomic
def add(*, row: PartT, by: Actor) -> PartT:
    """Saves a new row of a patient's. Raises PatientMerged, PatientArchived, ValidationError."""
    lock_open(row)
    row.clean()
    row.save(force_insert=True)
    return row


@transaction.atomic
def change(*, row: PartT, by: Actor, **changes: Any) -> PartT:
    """Raises PatientMerged, PatientArchived, ValidationError."""
    lock_open(row)
    for name, value in changes.items():
        setattr(row, name, value)
    row.clean()
    row.save()
    return row


@transaction.atomic
def remove(*, row: PatientPart | TenantModel, by: Actor) -> None:
    """Raises PatientMerged."""
    refuse_merged(_patient_of(row))
    row.delete()


def refuse_merged(patient: Patient) -> None:
    if patient.status == Patient.Status.MERGED:
        raise PatientMerged(patient.merged_into_id)
    if patient.erased_at is not None:
        raise PatientErased


def refuse_closed(patient: Patient) -> None:
    """Unless the chart is in use. Raises PatientMerged, PatientArchived."""
    refuse_merged(patient)
    if patient.status == Patient.Status.ARCHIVED:
        raise PatientArchived


def lock_unmerged(patient: Patient) -> Patient:
    """The patient as it is now, locked: whoever else changes this chart waits. Raises PatientMerged."""
    locked: Patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
    refuse_merged(locked)
    return locked


def lock_open(row: TenantModel) -> None:
    """Locks the row's patient, whose chart has to be in use. Raises PatientMerged, PatientArchived."""
    refuse_closed(lock_unmerged(_patient_of(row)))


def _patient_of(row: TenantModel) -> Patient:
    patient: Patient = row.patient  # type: ignore[attr-defined]  # the key that each of these models has
    return patient
