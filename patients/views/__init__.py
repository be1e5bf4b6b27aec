from patients.views.consents import ConsentViewSet
from patients.views.contacts import ContactPointViewSet
from patients.views.identifiers import PatientIdentifierViewSet
from patients.views.patients import PatientViewSet

__all__ = ["ConsentViewSet", "ContactPointViewSet", "PatientIdentifierViewSet", "PatientViewSet"]
