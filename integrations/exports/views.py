from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import Access, Area
from config.api.problem import NotFound
from config.api.rows import fetch
from config.api.serializers import NoBody
from config.api.views import APIView, ReadOnlyModelViewSet
from integrations.documents.serializers import LinkSerializer
from integrations.exports import services
from integrations.exports.serializers import PatientExportSerializer
from integrations.models import PatientExport
from patients.models import Patient
from patients.signals import patient_data_exported, patient_data_read
from patients.views.parts import acting

ALL_OF_IT = (Area.EXPORT, Access.FULL)
"""A biller exports money only, and a chart is more than that."""


class ExportOfPatientView(APIView):
    area = Area.EXPORT
    queryset = PatientExport.objects.all()
    serializer_class: ClassVar[type[NoBody]] = NoBody
    action_access: ClassVar[dict[str, tuple[str, Access]]] = {"post": ALL_OF_IT}

    @extend_schema(operation_id="patients_export", request=None, responses={202: PatientExportSerializer})
    def post(self, request: Request, patient_id: str) -> Response:
        """Have a copy made of everything that is kept about the patient, for the patient (right of access)."""
        patient = Patient.objects.visible_to(acting()).select_for_update(of=("self",), no_key=True)
        found = patient.filter(pk=patient_id).first()
        if found is None:
            raise NotFound()
        export = services.request_export(patient=found, by=acting())
        patient_data_read.send(PatientExport, patient_ids=[found.pk])
        rows, _ = fetch(PatientExport.objects.filter(pk=export.pk), PatientExportSerializer)
        return Response(rows[0], status=202, headers={"Location": f"/api/v1/patient-exports/{export.pk}"})


class PatientExportViewSet(ReadOnlyModelViewSet[PatientExport]):
    """Copies of charts, newest first: a zip of JSON, the documents and who looked."""

    queryset = PatientExport.objects.all()
    serializer_class = PatientExportSerializer
    filterset_fields: ClassVar[list[str]] = ["patient", "status"]
    ordering = ("-created_at",)
    ordering_fields = ("created_at",)
    action_access: ClassVar[dict[str, tuple[str, Access]]] = dict.fromkeys(["list", "retrieve", "download"], ALL_OF_IT)

    def get_queryset(self) -> "QuerySet[PatientExport]":
        rows: QuerySet[PatientExport] = PatientExport.objects.filter(patient__in=Patient.objects.visible_to(acting()))
        return rows

    def record_read(self, data: Any) -> None:
        rows = data if isinstance(data, list) else [data]
        if rows:
            patient_data_read.send(PatientExport, patient_ids=[row["patient"] for row in rows])

    @extend_schema(responses=LinkSerializer)
    @action(detail=True, methods=["get"])
    def download(self, request: Request, pk: str) -> Response:
        """A link to the file that is good for minutes."""
        export = self.get_object()
        url, expires_at = services.link_to(export)
        for signal in (patient_data_exported, patient_data_read):
            signal.send(PatientExport, patient_ids=[export.patient_id])
        return Response(LinkSerializer({"url": url, "expires_at": expires_at}).data)
