from typing import ClassVar

from patients.models import Allergy, MedicationStatement
from patients.serializers.clinical import AllergySerializer, MedicationStatementSerializer
from patients.views.parts import KeptPatientPartViewSet


class AllergyViewSet(KeptPatientPartViewSet):
    """Never deleted: one that was wrong is entered in error."""

    queryset = Allergy.objects.all()
    serializer_class = AllergySerializer
    filterset_fields: ClassVar[list[str]] = ["clinical_status", "verification_status"]


class MedicationStatementViewSet(KeptPatientPartViewSet):
    """Never deleted: one that was wrong is entered in error."""

    queryset = MedicationStatement.objects.all()
    serializer_class = MedicationStatementSerializer
    filterset_fields: ClassVar[list[str]] = ["status"]
