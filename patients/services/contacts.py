from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from patients.contact_values import normalised_email, normalised_phone, region_of
from patients.models import ContactPoint, Patient
from patients.services.parts import refuse_merged
from practices.models import Practice
from practices.tenancy import Actor, active_practice_id


@transaction.atomic
def add_contact(*, patient: Patient, by: Actor, kind: str, value: str, **fields: Any) -> ContactPoint:
    """Raises PatientMerged, ValidationError."""
    refuse_merged(patient)
    contact: ContactPoint = ContactPoint.objects.create(
        patient=patient, kind=kind, value=normalised(kind, value, "value"), **fields
    )
    return contact


@transaction.atomic
def change_contact(*, contact: ContactPoint, by: Actor, **changes: Any) -> ContactPoint:
    """Raises PatientMerged, ValidationError."""
    refuse_merged(contact.patient)
    for name, value in changes.items():
        setattr(contact, name, value)
    if {"kind", "value"}.intersection(changes):
        contact.value = normalised(contact.kind, contact.value, "value")
    contact.save()
    return contact


def normalised(kind: str, value: str, field: str) -> str:
    """The value as it is kept; raises ValidationError of `field`."""
    try:
        return normalised_email(value) if kind == ContactPoint.Kind.EMAIL else normalised_phone(value, region())
    except ValidationError as error:
        raise ValidationError({field: error}) from error


def region() -> str | None:
    """Where a number without a country code is dialled: the active practice's region. One query."""
    return region_of(Practice.objects.values_list("locale", flat=True).get(pk=active_practice_id()))
