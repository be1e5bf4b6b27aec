from typing import Any, ClassVar, cast
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.roles import Access, Area
from config.api.filters import FilterBackend, OrderingBackend
from config.api.serializers import NoBody
from config.api.views import ArchivedModelViewSet
from patients import services
from patients.filters import PatientFilterSet
from patients.models import Patient
from patients.problems import PossibleDuplicate
from patients.querysets import PatientQuerySet
from patients.serializers.patients import PatientCreateSerializer, PatientSerializer, PatientUpdateSerializer
from patients.signals import patient_data_exported, patient_data_read
from patients.table import MAX_PATIENTS, CsvRenderer, TooManyPatients
from patients.views.parts import acting


class PatientViewSet(ArchivedModelViewSet[Patient]):
    queryset = Patient.objects.all()
    serializer_class = PatientSerializer
    read_serializer_class = PatientSerializer
    filterset_class = PatientFilterSet
    filter_backends = (OrderingBackend, FilterBackend)  # whoever is searched for is found in the order asked for
    ordering_fields: ClassVar[dict[str, tuple[str, ...]]] = {
        "name": ("sort_name",),
        "birth_date": ("birth_date",),
        "updated_at": ("updated_at",),
    }
    ordering = ("sort_name",)
    action_access: ClassVar[dict[str, tuple[str, Access]]] = {"table": (Area.EXPORT, Access.FULL)}

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
            patient_data_read.send(Patient, patient_ids=[row["id"] for row in rows])

    @extend_schema(operation_id="patients_export_table", responses={(200, CsvRenderer.media_type): str})
    @action(
        detail=False,
        lists=True,
        url_path="export",
        url_name="table",
        pagination_class=None,
        renderer_classes=[CsvRenderer],
    )
    def table(self, request: Request) -> Response:
        """The filtered patients as CSV, in the columns that an import takes. 400 `too_many_patients` beyond 20,000."""
        patients = self.filter_queryset(self.get_queryset())
        if patients[MAX_PATIENTS:][:1].exists():
            raise TooManyPatients()
        rows, _ = self.rows_of(patients)
        self.record_read(rows)
        patient_data_exported.send(Patient, patient_ids=[UUID(str(row["id"])) for row in rows])
        return Response(rows, headers={"Content-Disposition": 'attachment; filename="patients.csv"'})

    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def archive(self, request: Request, pk: str) -> Response:
        return self.object_response(services.archive(patient=self.get_object(), by=acting()))

    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def unarchive(self, request: Request, pk: str) -> Response:
        return self.object_response(services.unarchive(patient=self.get_object(), by=acting()))
