from patients.admin.access_grants import AccessGrantAdmin
from patients.admin.patients import PatientAdmin

__all__ = ["AccessGrantAdmin", "PatientAdmin"]
