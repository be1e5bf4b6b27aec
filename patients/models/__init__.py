from patients.models.address import Address
from patients.models.consent import Consent
from patients.models.contact import ContactPoint, PatientIdentifier
from patients.models.coverage import Coverage
from patients.models.patient import Patient, PatientName
from patients.models.related_person import RelatedPerson
from patients.models.tag import PatientTag, Tag

__all__ = [
    "Address",
    "Consent",
    "ContactPoint",
    "Coverage",
    "Patient",
    "PatientIdentifier",
    "PatientName",
    "PatientTag",
    "RelatedPerson",
    "Tag",
]
