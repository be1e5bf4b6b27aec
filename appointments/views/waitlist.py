from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from appointments.filters import WaitlistFilterSet
from appointments.models import WaitlistEntry
from appointments.serializers.waitlist import (
    OfferSerializer,
    WaitlistEntrySerializer,
    WaitlistPatchSerializer,
    WaitlistRequestSerializer,
)
from appointments.services import waitlist
from config.api.problem import Forbidden
from config.api.serializers import NoBody
from config.api.views import ArchivedModelViewSet
from patients.signals import patient_data_read
from practices.tenancy import current_actor


class WaitlistViewSet(ArchivedModelViewSet[WaitlistEntry]):
    """Who would take a time that becomes free, the first in line first."""

    queryset = WaitlistEntry.objects.select_related("patient")
    serializer_class = WaitlistRequestSerializer
    read_serializer_class = WaitlistEntrySerializer
    filterset_class = WaitlistFilterSet
    ordering = ("priority", "created_at")
    ordering_fields = {"priority": ("priority", "created_at"), "created_at": ("created_at",)}

    def get_serializer_class(self) -> Any:
        return _REQUESTS.get(self.action, WaitlistRequestSerializer)

    def get_object(self) -> WaitlistEntry:
        """Who can't see the patient does nothing with the entry."""
        entry = super().get_object()
        if self.action != "retrieve" and not entry.patient.visible_to(current_actor()):
            raise Forbidden()
        return entry

    def record_read(self, data: Any) -> None:
        rows: Sequence[dict[str, Any]] = data if isinstance(data, list) else [data]
        patient_data_read.send(WaitlistEntry, patient_ids=[row["patient"]["id"] for row in rows])

    def represent(self, instance: Any) -> Any:
        data = super().represent(instance)
        if self.action != "retrieve":
            self.record_read(data)
        return data

    def perform_create(self, serializer: BaseSerializer[WaitlistEntry]) -> WaitlistEntry:
        return waitlist.add(by=current_actor(), **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[WaitlistEntry]) -> WaitlistEntry:
        entry: Any = serializer.instance
        changed: WaitlistEntry = waitlist.change(entry, by=current_actor(), **serializer.validated_data)
        return changed

    @extend_schema(request=OfferSerializer, responses=WaitlistEntrySerializer)
    @action(detail=True, methods=["post"])
    def offer(self, request: Request, pk: str) -> Response:
        """Holds a time for the patient, as long as the practice's policy says; confirming the hold books it."""
        entry = self.get_object()
        waitlist.offer(entry, by=current_actor(), **self.validated())
        return self.object_response(entry)

    @extend_schema(request=None, responses=WaitlistEntrySerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        return self.object_response(waitlist.withdraw(self.get_object(), by=current_actor()))


_REQUESTS = {"partial_update": WaitlistPatchSerializer, "offer": OfferSerializer, "withdraw": NoBody}
