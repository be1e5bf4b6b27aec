from typing import Any, ClassVar, cast

from rest_framework.serializers import BaseSerializer

from patients import services
from patients.models import PatientIdentifier
from patients.serializers.identifiers import PatientIdentifierSerializer
from patients.views.parts import PatientPartViewSet, acting


class PatientIdentifierViewSet(PatientPartViewSet):
    queryset = PatientIdentifier.objects.all()
    serializer_class = PatientIdentifierSerializer
    filterset_fields: ClassVar[list[str]] = ["type"]

    def perform_create(self, serializer: BaseSerializer[Any]) -> PatientIdentifier:
        return services.add_identifier(patient=self.patient, by=acting(), **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[Any]) -> PatientIdentifier:
        return services.change_identifier(
            identifier=cast("PatientIdentifier", serializer.instance), by=acting(), **serializer.validated_data
        )
