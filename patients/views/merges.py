from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import Access, Area
from config.api.concurrency import check_if_match
from config.api.problem import NotFound
from config.api.serializers import NoBody
from config.api.views import CreateMixin, ListMixin, RetrieveMixin
from patients.access import sees_restricted
from patients.models import Patient, PatientMerge
from patients.serializers.merges import MergeRequest, MergeResponse, PatientMergeSerializer, ReversalResponse
from patients.services import merging
from patients.signals import patient_data_read
from patients.views.parts import acting


def _record(data: Any) -> None:
    rows = data if isinstance(data, list) else [data]
    if ids := [UUID(str(row[name])) for row in rows for name in ("survivor", "source")]:
        patient_data_read.send(PatientMerge, patient_ids=ids)


class PatientMergeIntoViewSet(CreateMixin[PatientMerge]):
    """Merge another chart into this one."""

    queryset = PatientMerge.objects.all()
    serializer_class = MergeRequest
    read_serializer_class = PatientMergeSerializer

    def is_own(self, row: object) -> bool:
        """Who may only propose has no chart of their own to merge."""
        return False

    @extend_schema(request=MergeRequest, responses={200: MergeResponse, 201: MergeResponse})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """200 for a dry run, which does everything and undoes it; else 201."""
        survivor = Patient.objects.visible_to(acting()).filter(pk=kwargs["patient_id"]).first()
        if survivor is None:
            raise NotFound()
        self.check_object_permissions(request, survivor)
        body = self.validated()
        with transaction.atomic():
            survivor, source = merging.lock(survivor.pk, body["source"].pk)
            check_if_match(request, survivor.version)
            merge = merging.merge(survivor=survivor, source=source, reason=body["reason"], by=acting())
            data = {**self.represent(merge), "dry_run": body["dry_run"]}
            transaction.set_rollback(body["dry_run"])
        _record(data)
        location = {} if body["dry_run"] else {"Location": f"/api/v1/patient-merges/{merge.pk}"}
        return Response(data, status=200 if body["dry_run"] else 201, headers=location)


class PatientMergeViewSet(ListMixin[PatientMerge], RetrieveMixin[PatientMerge]):
    """What was merged, newest first."""

    queryset = PatientMerge.objects.all()
    serializer_class = PatientMergeSerializer
    read_serializer_class = PatientMergeSerializer
    filterset_fields: ClassVar[list[str]] = ["survivor", "source"]
    ordering = ("-created_at",)
    ordering_fields = ("created_at",)
    action_access: ClassVar[dict[str, tuple[str, Access]]] = {
        "list": (Area.MERGE, Access.FULL),
        "retrieve": (Area.MERGE, Access.FULL),
        "reverse": (Area.MERGE, Access.FULL),
    }
    lock_rows = False

    def get_queryset(self) -> QuerySet[PatientMerge]:
        """An API key may be for merges, and never sees a restricted chart."""
        merges, actor = super().get_queryset(), acting()
        if sees_restricted(actor):
            return merges
        visible = Patient.objects.visible_to(actor)
        return merges.filter(survivor__in=visible, source__in=visible)

    def record_read(self, data: Any) -> None:
        _record(data)

    @extend_schema(request=None, responses=ReversalResponse)
    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def reverse(self, request: Request, pk: str) -> Response:
        """Undo it. Rows made since stay with the survivor, and are listed."""
        merge, since = merging.reverse(merge=self.get_object(), by=acting())
        made = [{"entity": row.entity, "id": str(row.id)} for row in since]
        return Response({**self.represent(merge), "made_since": made})
