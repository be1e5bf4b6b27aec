from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.roles import Access, Area
from config.api.serializers import NoBody
from config.api.views import CreateMixin, ListMixin, RetrieveMixin
from patients.models import LegalHold
from patients.serializers.legal_holds import LegalHoldRequest, LegalHoldSerializer
from patients.services import legal_holds
from patients.views.parts import PatientPartMixin, acting

ACTIONS = ("list", "retrieve", "create", "release")


class LegalHoldViewSet(PatientPartMixin, ListMixin[Any], RetrieveMixin[Any], CreateMixin[Any]):
    """While one is open, nothing of the patient is erased."""

    queryset = LegalHold.objects.all()
    serializer_class = LegalHoldRequest
    read_serializer_class = LegalHoldSerializer
    ordering = ("-created_at",)
    ordering_fields = ("created_at",)
    action_access: ClassVar[dict[str, tuple[str, Access]]] = dict.fromkeys(ACTIONS, (Area.EXPORT, Access.FULL))

    def perform_create(self, serializer: BaseSerializer[Any]) -> LegalHold:
        return legal_holds.place(patient=self.patient, by=acting(), **serializer.validated_data)

    @extend_schema(request=None, responses=LegalHoldSerializer)
    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def release(self, request: Request, patient_id: str, pk: str) -> Response:
        """The retention policy counts again."""
        return self.object_response(legal_holds.release(hold=self.get_object(), by=acting()))
