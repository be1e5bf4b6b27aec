from patients.views.addresses import AddressViewSet
from patients.views.consents import ConsentViewSet
from patients.views.contacts import ContactPointViewSet
from patients.views.coverages import CoverageViewSet
from patients.views.identifiers import PatientIdentifierViewSet
from patients.views.patients import PatientViewSet
from patients.views.related_persons import RelatedPersonViewSet
from patients.views.tags import PatientTagViewSet, TagViewSet

__all__ = [
    "AddressViewSet",
    "ConsentViewSet",
    "ContactPointViewSet",
    "CoverageViewSet",
    "PatientIdentifierViewSet",
    "PatientTagViewSet",
    "PatientViewSet",
    "RelatedPersonViewSet",
    "TagViewSet",
]
