from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.roles import Area
from config.api.views import APIView
from integrations.documents import services
from integrations.documents.serializers import (
    DocumentCreateSerializer,
    DocumentSerializer,
    DocumentUpdateSerializer,
    LinkSerializer,
    UploadRequestSerializer,
    UploadSerializer,
)
from patients.models import PatientDocument
from patients.models.document import PatientDocumentQuerySet
from patients.views.parts import KeptPatientPartViewSet, acting


class UploadView(APIView):
    """Where to put a file before it is named in a chart."""

    area = Area.PATIENTS
    serializer_class: ClassVar[type[UploadRequestSerializer]] = UploadRequestSerializer

    @extend_schema(operation_id="documents_uploads_create", responses={201: UploadSerializer})
    def post(self, request: Request) -> Response:
        asked = UploadRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        file, form, expires_at = services.announce(by=acting(), **asked.validated_data)
        shown = {"id": file.pk, "url": form.url, "fields": form.fields, "expires_at": expires_at}
        return Response(UploadSerializer(shown).data, status=201)


class DocumentViewSet(KeptPatientPartViewSet):
    """Never deleted: one that was wrong is entered in error. Restricted ones are for who reads notes."""

    queryset = PatientDocument.objects.all()
    serializer_class = DocumentSerializer
    read_serializer_class = DocumentSerializer
    filterset_fields: ClassVar[list[str]] = ["category", "sensitivity", "status"]
    lock_later: ClassVar[frozenset[str]] = frozenset({"create"})

    def get_queryset(self) -> "QuerySet[PatientDocument]":
        documents: PatientDocumentQuerySet = super().get_queryset()  # type: ignore[assignment]  # its manager's
        return documents.visible_to(acting())

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        by_action = {"create": DocumentCreateSerializer, "partial_update": DocumentUpdateSerializer}
        return by_action.get(self.action, super().get_serializer_class())

    def perform_create(self, serializer: BaseSerializer[Any]) -> PatientDocument:
        return services.add_document(patient=self.patient, by=acting(), **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[Any]) -> PatientDocument:
        document: Any = serializer.instance
        return services.change_document(document=document, by=acting(), **serializer.validated_data)

    @extend_schema(responses=LinkSerializer)
    @action(detail=True, methods=["get"])
    def download(self, request: Request, patient_id: str, pk: str) -> Response:
        """A link to the bytes that is good for minutes. Asking for it is a read of the chart."""
        document = self.get_object()
        url, expires_at = services.link_to(document)
        self.record_read(document)
        return Response(LinkSerializer({"url": url, "expires_at": expires_at}).data)
