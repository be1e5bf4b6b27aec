"""The practice's own settings. Which role may do what follows from the models' area."""

from typing import Any
from uuid import UUID

from rest_framework.serializers import BaseSerializer

from config.api.problem import Conflict
from config.api.views import ModelViewSet, RetrieveMixin, UpdateMixin
from practices.models import CancellationReason, Closure, Location, Practice, PracticePolicy, Resource
from practices.serializers import (
    CancellationReasonSerializer,
    ClosureSerializer,
    LocationSerializer,
    PracticePolicySerializer,
    PracticeSerializer,
    ResourceSerializer,
)
from practices.services import save_closure
from practices.tenancy import active_practice_id


class PracticeViewSet(RetrieveMixin[Practice], UpdateMixin[Practice]):
    """The caller's practice, the one of their token."""

    queryset = Practice.objects.all()
    serializer_class = PracticeSerializer

    def lookup_value(self) -> UUID:
        return active_practice_id()


class PracticePolicyViewSet(RetrieveMixin[PracticePolicy], UpdateMixin[PracticePolicy]):
    """The practice's rules of booking and record-keeping."""

    queryset = PracticePolicy.objects.all()
    serializer_class = PracticePolicySerializer

    def lookup_value(self) -> UUID:
        policy: PracticePolicy = PracticePolicy.objects.get_or_create()[0]
        return policy.pk


class LocationViewSet(ModelViewSet[Location]):
    queryset = Location.objects.all()
    serializer_class = LocationSerializer
    filterset_fields = {"active": ["exact"]}
    ordering = ("name",)
    ordering_fields = ("name", "created_at")


class ResourceViewSet(ModelViewSet[Resource]):
    """What a visit occupies: providers' calendars, rooms, equipment."""

    queryset = Resource.objects.all()
    serializer_class = ResourceSerializer
    filterset_fields = {"kind": ["exact"], "location": ["exact"], "provider": ["exact"], "active": ["exact"]}
    ordering = ("name",)
    ordering_fields = ("name", "created_at")

    def perform_destroy(self, instance: Resource) -> None:
        if instance.kind == Resource.Kind.PROVIDER:
            raise Conflict("A provider's calendar goes with the provider's profile.", code="provider_calendar")
        super().perform_destroy(instance)


class ClosureViewSet(ModelViewSet[Closure]):
    """Days, or hours of days, on which a location or the whole practice is closed."""

    queryset = Closure.objects.all()
    serializer_class = ClosureSerializer
    filterset_fields = {"location": ["exact"], "start_date": ["gte", "lt"], "end_date": ["gte", "lt"]}
    ordering = ("start_date",)
    ordering_fields = ("start_date", "end_date")

    def perform_create(self, serializer: BaseSerializer[Closure]) -> Closure:
        return save_closure(Closure(**serializer.validated_data))

    def perform_update(self, serializer: BaseSerializer[Closure]) -> Closure:
        closure: Any = serializer.instance
        for name, value in serializer.validated_data.items():
            setattr(closure, name, value)
        return save_closure(closure)


class CancellationReasonViewSet(ModelViewSet[CancellationReason]):
    queryset = CancellationReason.objects.all()
    serializer_class = CancellationReasonSerializer
    filterset_fields = {"by": ["exact"], "active": ["exact"]}
    ordering = ("code",)
    ordering_fields = ("code", "name")
