from patients.views.access_grants import AccessGrantViewSet, PatientAccessGrantViewSet
from patients.views.addresses import AddressViewSet
from patients.views.alerts import AlertViewSet
from patients.views.clinical import AllergyViewSet, MedicationStatementViewSet
from patients.views.consents import ConsentViewSet
from patients.views.contacts import ContactPointViewSet
from patients.views.coverages import CoverageViewSet
from patients.views.duplicates import DuplicateCandidateViewSet
from patients.views.identifiers import PatientIdentifierViewSet
from patients.views.legal_holds import LegalHoldViewSet
from patients.views.merges import PatientMergeIntoViewSet, PatientMergeViewSet
from patients.views.notes import NoteViewSet
from patients.views.patients import PatientViewSet
from patients.views.related_persons import RelatedPersonViewSet
from patients.views.tags import PatientTagViewSet, TagViewSet

__all__ = [
    "AccessGrantViewSet",
    "AddressViewSet",
    "AlertViewSet",
    "AllergyViewSet",
    "ConsentViewSet",
    "ContactPointViewSet",
    "CoverageViewSet",
    "DuplicateCandidateViewSet",
    "LegalHoldViewSet",
    "MedicationStatementViewSet",
    "NoteViewSet",
    "PatientAccessGrantViewSet",
    "PatientIdentifierViewSet",
    "PatientMergeIntoViewSet",
    "PatientMergeViewSet",
    "PatientTagViewSet",
    "PatientViewSet",
    "RelatedPersonViewSet",
    "TagViewSet",
]
