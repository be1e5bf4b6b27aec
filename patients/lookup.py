"""What somebody types to find a patient. Each guess at what it is costs one indexed statement."""

from datetime import date

from django.core.exceptions import ValidationError

from patients.contact_values import normalised_phone, region
from patients.models import ContactPoint, Patient, PatientIdentifier
from patients.models.patient import MRN_ALPHABET, MRN_LENGTH
from patients.querysets import PatientQuerySet

LIKE_A_NUMBER = 5
"""Digits from which on a text is taken for a phone number or an identifier."""


def find_patients(patients: PatientQuerySet, text: str) -> PatientQuerySet:
    """Those of `patients` whom a whole email address, birth date, MRN, phone number or identifier names; else those
    of whom words of the name begin so.
    """
    text = text.replace("\0", "").strip()
    if "@" in text:
        return _with_contact(patients, text.lower())
    if (born := _date(text)) is not None:
        return patients.filter(birth_date=born)
    digits = sum(character.isdigit() for character in text)
    if (digits or _is_like_ours(text)) and (by_mrn := patients.of_mrn(text)).exists():
        return by_mrn
    return _with_number(patients, text) if digits >= LIKE_A_NUMBER else patients.search(text)


def of_mrn(patients: PatientQuerySet, text: str) -> Patient | None:
    """Whose number it is as written, else in capitals, as we make them, else in small letters."""
    text = text.replace("\0", "").strip()
    found: dict[str, Patient] = {patient.mrn: patient for patient in patients.of_mrn(text)}
    return found.get(text) or found.get(text.upper()) or found.get(text.lower())


def _is_like_ours(text: str) -> bool:
    """One number in seventeen that we make has no digit."""
    return len(text) == MRN_LENGTH and set(text.upper()) <= set(MRN_ALPHABET)


def _with_number(patients: PatientQuerySet, text: str) -> PatientQuerySet:
    try:
        return _with_contact(patients, normalised_phone(text, region()))
    except ValidationError:
        return patients.filter(pk__in=PatientIdentifier.objects.of_value(text).values("patient_id"))


def _with_contact(patients: PatientQuerySet, value: str) -> PatientQuerySet:
    return patients.filter(pk__in=ContactPoint.objects.of_value(value).values("patient_id"))


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if "-" in text else None
    except ValueError:
        return None
