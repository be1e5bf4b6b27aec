from patients.models.access_grant import AccessGrant
from patients.models.address import Address
from patients.models.alert import Alert
from patients.models.clinical import Allergy, MedicationStatement
from patients.models.consent import Consent
from patients.models.contact import ContactPoint, PatientIdentifier
from patients.models.coverage import Coverage
from patients.models.document import PatientDocument
from patients.models.duplicate import DuplicateCandidate
from patients.models.legal_hold import LegalHold
from patients.models.merge import PatientMerge, PatientMergeItem
from patients.models.note import PatientNote
from patients.models.patient import Patient, PatientName
from patients.models.related_person import RelatedPerson
from patients.models.tag import PatientTag, Tag

__all__ = [
    "AccessGrant",
    "Address",
    "Alert",
    "Allergy",
    "Consent",
    "ContactPoint",
    "Coverage",
    "DuplicateCandidate",
    "LegalHold",
    "MedicationStatement",
    "Patient",
    "PatientDocument",
    "PatientIdentifier",
    "PatientMerge",
    "PatientMergeItem",
    "PatientName",
    "PatientNote",
    "PatientTag",
    "RelatedPerson",
    "Tag",
]
