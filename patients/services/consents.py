from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from patients.models import Consent, Patient
from patients.services.parts import lock_unmerged
from practices.tenancy import Actor


@transaction.atomic
def record_consent(*, patient: Patient, by: Actor, kind: str, **fields: Any) -> Consent:
    """The next version of the patient's consents of this kind; of an archived chart too, since anybody may withdraw.

    Raises PatientMerged; ValidationError for a moment to come, or one before the last record's.
    """
    patient = lock_unmerged(patient)
    consent = Consent(patient=patient, kind=kind, **fields)
    consent.clean()
    last = patient.consents.filter(kind=kind).first()
    if last is not None:
        if consent.at < last.at:
            late = ValidationError("There is a later record of this kind already.", code="before_last")
            raise ValidationError({"at": late})
        consent.version = last.version + 1
    consent.save(force_insert=True)
    return consent
