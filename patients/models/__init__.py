from patients.models.patient import Patient, PatientName

__all__ = ["Patient", "PatientName"]
