from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import Access, Area
from config.api.views import APIView, CreateMixin, ListMixin, ReadOnlyModelViewSet
from integrations.documents.serializers import UploadSerializer
from integrations.imports import services
from integrations.imports.serializers import (
    ImportErrorSerializer,
    ImportRequest,
    ImportSerializer,
    ImportUploadRequest,
)
from integrations.models import ImportJob, ImportRowError
from patients.views.parts import acting

FULL = (Area.EXPORT, Access.FULL)


class ImportUploadView(APIView):
    area = Area.EXPORT
    serializer_class: ClassVar[type[ImportUploadRequest]] = ImportUploadRequest
    action_access: ClassVar[dict[str, tuple[str, Access]]] = {"post": FULL}

    @extend_schema(operation_id="imports_uploads_create", responses={201: UploadSerializer})
    def post(self, request: Request) -> Response:
        """Where to put a CSV file before it is named in an import."""
        asked = ImportUploadRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        file, form, expires_at = services.announce_file(by=acting(), **asked.validated_data)
        shown = {"id": file.pk, "url": form.url, "fields": form.fields, "expires_at": expires_at}
        return Response(UploadSerializer(shown).data, status=201)


class ImportViewSet(CreateMixin[ImportJob], ReadOnlyModelViewSet[ImportJob]):
    """Patients out of a CSV file: a trial first, then all of it or what is sound."""

    queryset = ImportJob.objects.all()
    serializer_class = ImportRequest
    read_serializer_class = ImportSerializer
    filterset_fields: ClassVar[list[str]] = ["status", "dry_run"]
    ordering = ("-created_at",)
    ordering_fields = ("created_at",)
    action_access: ClassVar[dict[str, tuple[str, Access]]] = dict.fromkeys(["list", "retrieve", "create"], FULL)

    @extend_schema(responses={202: ImportSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        job = services.start(by=acting(), **self.validated())
        return Response(self.represent(job), status=202, headers={"Location": f"{request.path}/{job.pk}"})


class ImportErrorViewSet(ListMixin[ImportRowError]):
    """What is wrong with rows of imports, by line: the first thousand of each."""

    queryset = ImportRowError.objects.all()
    serializer_class = ImportErrorSerializer
    filterset_fields: ClassVar[list[str]] = ["job"]
    ordering = ("line",)
    ordering_fields = ("line",)
    action_access: ClassVar[dict[str, tuple[str, Access]]] = {"list": FULL}
