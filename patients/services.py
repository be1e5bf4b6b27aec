"""What is done to charts. The caller has checked that `by` may; who acted is recorded by the scope."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from patients import duplicates
from patients.contact_values import normalised_email, normalised_phone, region_of
from patients.models import ContactPoint, Patient, PatientIdentifier
from patients.problems import InvalidPatientTransition, PatientMerged, PossibleDuplicate
from practices.models import Practice
from practices.tenancy import Actor, active_practice_id


@transaction.atomic
def create_patient(
    *, by: Actor, phone: str = "", email: str = "", force: bool = False, force_reason: str = "", **fields: Any
) -> Patient:
    """A patient with their primary contact points.

    Raises PossibleDuplicate when `by` can see somebody like them, unless `force` says, with a reason, that it is
    somebody else; ValidationError for values that can't be.
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
    patient.save(force_insert=True)
    for kind, value in values.items():
        ContactPoint.objects.create(patient=patient, kind=kind, value=value)
    return patient


@transaction.atomic
def update_patient(*, patient: Patient, by: Actor, **changes: Any) -> Patient:
    """Raises PatientMerged, ValidationError."""
    _refuse_merged(patient)
    for name, value in changes.items():
        setattr(patient, name, value)
    patient.clean()
    patient.save()
    return patient


@transaction.atomic
def archive(*, patient: Patient, by: Actor) -> Patient:
    return _change_status(patient, Patient.Status.ACTIVE, Patient.Status.ARCHIVED)


@transaction.atomic
def unarchive(*, patient: Patient, by: Actor) -> Patient:
    return _change_status(patient, Patient.Status.ARCHIVED, Patient.Status.ACTIVE)


@transaction.atomic
def add_contact(*, patient: Patient, by: Actor, kind: str, value: str, **fields: Any) -> ContactPoint:
    """Raises PatientMerged, ValidationError."""
    _refuse_merged(patient)
    contact: ContactPoint = ContactPoint.objects.create(
        patient=patient, kind=kind, value=_normalised(kind, value, "value"), **fields
    )
    return contact


@transaction.atomic
def change_contact(*, contact: ContactPoint, by: Actor, **changes: Any) -> ContactPoint:
    """Raises PatientMerged, ValidationError."""
    _refuse_merged(contact.patient)
    for name, value in changes.items():
        setattr(contact, name, value)
    if {"kind", "value"}.intersection(changes):
        contact.value = _normalised(contact.kind, contact.value, "value")
    contact.save()
    return contact


@transaction.atomic
def add_identifier(*, patient: Patient, by: Actor, **fields: Any) -> PatientIdentifier:
    """Raises PatientMerged, ValidationError."""
    return _save_identifier(PatientIdentifier(patient=patient, **fields))


@transaction.atomic
def change_identifier(*, identifier: PatientIdentifier, by: Actor, **changes: Any) -> PatientIdentifier:
    """Raises PatientMerged, ValidationError."""
    for name, value in changes.items():
        setattr(identifier, name, value)
    return _save_identifier(identifier)


@transaction.atomic
def remove(*, row: ContactPoint | PatientIdentifier, by: Actor) -> None:
    """Raises PatientMerged."""
    _refuse_merged(row.patient)
    row.delete()


def _save_identifier(identifier: PatientIdentifier) -> PatientIdentifier:
    _refuse_merged(identifier.patient)
    same = PatientIdentifier.objects.of_value(identifier.value).filter(patient=identifier.patient, type=identifier.type)
    if same.exclude(pk=identifier.pk).exists():
        raise ValidationError({"value": ValidationError("The patient has this identifier already.", code="unique")})
    identifier.save()
    return identifier


def _change_status(patient: Patient, before: str, after: str) -> Patient:
    if patient.status != before:
        allowed = {Patient.Status.ACTIVE: ["archive"], Patient.Status.ARCHIVED: ["unarchive"]}
        raise InvalidPatientTransition(patient.status, allowed.get(Patient.Status(patient.status), []))
    patient.status = after
    patient.save(update_fields=["status"])
    return patient


def _refuse_merged(patient: Patient) -> None:
    if patient.status == Patient.Status.MERGED:
        raise PatientMerged


def _contact_values(**given: str) -> dict[str, str]:
    return {kind: _normalised(kind, value, kind) for kind, value in given.items() if value}


def _normalised(kind: str, value: str, field: str) -> str:
    """The value as it is kept; raises ValidationError of `field`."""
    try:
        return normalised_email(value) if kind == ContactPoint.Kind.EMAIL else normalised_phone(value, region())
    except ValidationError as error:
        raise ValidationError({field: error}) from error


def region() -> str | None:
    """Where a number without a country code is dialled: the active practice's region. One query."""
    return region_of(Practice.objects.values_list("locale", flat=True).get(pk=active_practice_id()))
