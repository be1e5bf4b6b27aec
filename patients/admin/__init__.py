from patients.admin.access_grants import AccessGrantAdmin
from patients.admin.duplicates import DuplicateCandidateAdmin
from patients.admin.legal_holds import LegalHoldAdmin
from patients.admin.patients import PatientAdmin

__all__ = ["AccessGrantAdmin", "DuplicateCandidateAdmin", "LegalHoldAdmin", "PatientAdmin"]
