from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.permissions import sees_only_own
from accounts.roles import Access, Area
from config.api.filters import FilterSet, IdFilter
from config.api.views import CreateMixin, ListMixin, RetrieveMixin
from patients.models import DuplicateCandidate
from patients.serializers.duplicates import DecisionRequest, DuplicateCandidateSerializer, PairRequest
from patients.services import duplicates
from patients.signals import patient_data_read
from patients.views.parts import acting


class DuplicateCandidateFilterSet(FilterSet):
    patient = IdFilter(method="of_patient", label="Pairs that this patient is one of.")

    class Meta:
        model = DuplicateCandidate
        fields: ClassVar[list[str]] = ["status"]

    def of_patient(self, queryset: "QuerySet[Any]", name: str, value: UUID) -> "QuerySet[Any]":
        return queryset.filter(Q(first=value) | Q(second=value))


class DuplicateCandidateViewSet(
    ListMixin[DuplicateCandidate], RetrieveMixin[DuplicateCandidate], CreateMixin[DuplicateCandidate]
):
    """Pairs of charts that may be one person's, likeliest first. Found every night; whoever may propose adds their own
    and sees only those. Pairs that were merged are gone.
    """

    queryset = DuplicateCandidate.objects.all()
    serializer_class = PairRequest
    read_serializer_class = DuplicateCandidateSerializer
    filterset_class = DuplicateCandidateFilterSet
    ordering = ("-score",)
    ordering_fields = ("score", "created_at")
    action_access: ClassVar[dict[str, tuple[str, Access]]] = {
        "confirm": (Area.MERGE, Access.FULL),
        "dismiss": (Area.MERGE, Access.FULL),
    }

    def get_queryset(self) -> "QuerySet[DuplicateCandidate]":
        pairs = DuplicateCandidate.objects.standing().visible_to(acting())
        shown: QuerySet[DuplicateCandidate] = pairs
        return shown.filter(proposed_by=acting().id) if sees_only_own(Area.MERGE) else shown

    def is_own(self, row: DuplicateCandidate) -> bool:
        return row.proposed_by_id is not None and row.proposed_by_id == acting().id

    def perform_create(self, serializer: BaseSerializer[DuplicateCandidate]) -> DuplicateCandidate:
        return duplicates.propose(by=acting(), **serializer.validated_data)

    def record_read(self, data: Any) -> None:
        rows = data if isinstance(data, list) else [data]
        if ids := [UUID(str(row[name]["id"])) for row in rows for name in ("first", "second")]:
            patient_data_read.send(DuplicateCandidate, patient_ids=ids)

    @extend_schema(request=DecisionRequest, responses=DuplicateCandidateSerializer)
    @action(detail=True, methods=["post"], serializer_class=DecisionRequest)
    def confirm(self, request: Request, pk: str) -> Response:
        """They are one person. Their charts are merged by a request of its own, which says which of them stays."""
        pair = self.get_object()
        return self._decided(duplicates.confirm(candidate=pair, by=acting(), **self.validated()))

    @extend_schema(request=DecisionRequest, responses=DuplicateCandidateSerializer)
    @action(detail=True, methods=["post"], serializer_class=DecisionRequest)
    def dismiss(self, request: Request, pk: str) -> Response:
        """They are two people. The pair isn't found again."""
        pair = self.get_object()
        return self._decided(duplicates.dismiss(candidate=pair, by=acting(), **self.validated()))

    def _decided(self, pair: DuplicateCandidate) -> Response:
        data = self.represent(pair)
        self.record_read(data)
        return Response(data)
