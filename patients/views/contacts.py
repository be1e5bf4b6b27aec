from typing import Any, ClassVar, cast

from rest_framework.serializers import BaseSerializer

from patients import services
from patients.models import ContactPoint
from patients.serializers.contacts import ContactPointSerializer
from patients.views.parts import PatientPartViewSet, acting


class ContactPointViewSet(PatientPartViewSet):
    queryset = ContactPoint.objects.all()
    serializer_class = ContactPointSerializer
    filterset_fields: ClassVar[list[str]] = ["kind", "use"]

    def perform_create(self, serializer: BaseSerializer[Any]) -> ContactPoint:
        return services.add_contact(patient=self.patient, by=acting(), **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[Any]) -> ContactPoint:
        return services.change_contact(
            contact=cast("ContactPoint", serializer.instance), by=acting(), **serializer.validated_data
        )
