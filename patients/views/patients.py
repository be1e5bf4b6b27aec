from typing import Any, ClassVar, cast
from uuid import UUID

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from config.api.serializers import NoBody
from config.api.views import ArchivedModelViewSet
from patients import services
from patients.filters import PatientFilterSet
from patients.models import Patient
from patients.problems import PossibleDuplicate
from patients.querysets import PatientQuerySet
from patients.serializers.patients import PatientCreateSerializer, PatientSerializer, PatientUpdateSerializer
from patients.signals import patient_data_read
from patients.views.parts import acting


class PatientViewSet(ArchivedModelViewSet[Patient]):
    queryset = Patient.objects.all()
    serializer_class = PatientSerializer
    read_serializer_class = PatientSerializer
    filterset_class = PatientFilterSet
    ordering_fields: ClassVar[dict[str, tuple[str, ...]]] = {
        "name": ("sort_name",),
        "birth_date": ("birth_date",),
        "updated_at": ("updated_at",),
    }
    ordering = ("sort_name",)

    def get_queryset(self) -> PatientQuerySet:
        visible: PatientQuerySet = Patient.objects.visible_to(acting())
        return visible

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        by_action = {"create": PatientCreateSerializer, "partial_update": PatientUpdateSerializer}
        return by_action.get(self.action, super().get_serializer_class())

    def perform_create(self, serializer: BaseSerializer[Patient]) -> Patient:
        try:
            return services.create_patient(by=acting(), **serializer.validated_data)
        except PossibleDuplicate as refusal:
            self.record_read(refusal.members["candidates"])
            raise

    def perform_update(self, serializer: BaseSerializer[Patient]) -> Patient:
        patient = cast("Patient", serializer.instance)
        return services.update_patient(patient=patient, by=acting(), **serializer.validated_data)

    def record_read(self, data: Any) -> None:
        rows = data if isinstance(data, list) else [data]
        if rows:
            patient_data_read.send(Patient, patient_ids=[UUID(str(row["id"])) for row in rows])

    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def archive(self, request: Request, pk: str) -> Response:
        return self.object_response(services.archive(patient=self.get_object(), by=acting()))

    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def unarchive(self, request: Request, pk: str) -> Response:
        return self.object_response(services.unarchive(patient=self.get_object(), by=acting()))
