from typing import Any

from django.db import transaction

from patients.contact_values import kept_email, kept_phone
from patients.models import ContactPoint, Patient
from patients.services.parts import refuse_merged
from practices.tenancy import Actor


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
    return kept_email(value, field) if kind == ContactPoint.Kind.EMAIL else kept_phone(value, field)
