from patients.models.consent import Consent
from patients.models.contact import ContactPoint, PatientIdentifier
from patients.models.patient import Patient, PatientName

__all__ = ["Consent", "ContactPoint", "Patient", "PatientIdentifier", "PatientName"]
