from patients.models.contact import ContactPoint, PatientIdentifier
from patients.models.patient import Patient, PatientName

__all__ = ["ContactPoint", "Patient", "PatientIdentifier", "PatientName"]
