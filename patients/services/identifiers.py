from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from patients.models import Patient, PatientIdentifier
from patients.services.parts import refuse_merged
from practices.tenancy import Actor


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


def _save_identifier(identifier: PatientIdentifier) -> PatientIdentifier:
    refuse_merged(identifier.patient)
    same = PatientIdentifier.objects.of_value(identifier.value).filter(patient=identifier.patient, type=identifier.type)
    if same.exclude(pk=identifier.pk).exists():
        raise ValidationError({"value": ValidationError("The patient has this identifier already.", code="unique")})
    identifier.save()
    return identifier
