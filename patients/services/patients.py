from typing import Any

from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from config.api.problem import Forbidden
from patients import duplicates
from patients.access import sees_restricted
from patients.models import ContactPoint, Patient
from patients.problems import InvalidPatientTransition, PossibleDuplicate
from patients.services.contacts import normalised
from patients.services.parts import refuse_merged
from patients.signals import patient_died
from practices.tenancy import Actor

LONGEST_WAIT = "500ms"
"""Half of what PostgreSQL waits before it looks for deadlocks."""


@transaction.atomic
def create_patient(
    *, by: Actor, phone: str = "", email: str = "", force: bool = False, force_reason: str = "", **fields: Any
) -> Patient:
    """A patient with their primary contact points.

    Raises PossibleDuplicate when `by` can see somebody like them, unless `force` says, with a reason, that it is
    somebody else; ValidationError for values that can't be, and for a number that is being given to somebody else.
    """
    if force and not force_reason.strip():
        raise ValidationError({"force_reason": ValidationError("Say why this is somebody else.", code="required")})
    patient = Patient(**fields, duplicate_reason=force_reason.strip() if force else "")
    patient.clean()
    patient.prepare()
    values = _contact_values(phone=phone, email=email)
    duplicates.queue_up(patient.sort_name, patient.birth_date)
    found = [] if force else duplicates.candidates(patient, phone=values.get("phone", ""), by=by)
    if found:
        raise PossibleDuplicate(found)
    _insert(patient, numbered=bool(fields.get("mrn")))
    for kind, value in values.items():
        ContactPoint.objects.create(patient=patient, kind=kind, value=value)
    return patient


def _insert(patient: Patient, *, numbered: bool) -> None:
    """Doesn't wait for ever for an import that has written this number and waits, at its end, for everybody who is
    creating a patient. It gives up before PostgreSQL looks for a deadlock, which might end the import instead.
    """
    if not numbered:
        patient.save(force_insert=True)
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LONGEST_WAIT])
        try:
            patient.save(force_insert=True)
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            busy = "This number is being given to somebody just now. Try again in a moment."
            raise ValidationError({"mrn": ValidationError(busy, code="busy")}) from error
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")


@transaction.atomic
def update_patient(*, patient: Patient, by: Actor, **changes: Any) -> Patient:
    """Raises PatientMerged, ValidationError; Forbidden for who was let into a restricted chart and would open it."""
    refuse_merged(patient)
    if patient.loaded_values["restricted"] and not changes.get("restricted", True) and not sees_restricted(by):
        raise Forbidden("Only an owner or admin lifts a restriction.")
    for name, value in changes.items():
        setattr(patient, name, value)
    patient.clean()
    died = patient.deceased_at is not None and patient.loaded_values["deceased_at"] is None
    patient.save()
    if died:
        patient_died.send(Patient, patient=patient)
    return patient


@transaction.atomic
def archive(*, patient: Patient, by: Actor) -> Patient:
    return _change_status(patient, Patient.Status.ACTIVE, Patient.Status.ARCHIVED)


@transaction.atomic
def unarchive(*, patient: Patient, by: Actor) -> Patient:
    return _change_status(patient, Patient.Status.ARCHIVED, Patient.Status.ACTIVE)


def _change_status(patient: Patient, before: str, after: str) -> Patient:
    refuse_merged(patient)
    if patient.status != before:
        allowed = {Patient.Status.ACTIVE: ["archive"], Patient.Status.ARCHIVED: ["unarchive"]}
        raise InvalidPatientTransition(patient.status, allowed.get(Patient.Status(patient.status), []))
    patient.status = after
    patient.save(update_fields=["status"])
    return patient


def _contact_values(**given: str) -> dict[str, str]:
    return {kind: normalised(kind, value, kind) for kind, value in given.items() if value}
