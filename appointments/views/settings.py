from typing import Any

from django.db.models import QuerySet
from rest_framework.serializers import BaseSerializer

from accounts.permissions import sees_only_own
from accounts.roles import Access, Area, allowed
from appointments.models import AppointmentType, AvailabilityException, AvailabilityRule
from appointments.serializers import (
    AppointmentTypeSerializer,
    AvailabilityExceptionSerializer,
    AvailabilityRuleSerializer,
)
from appointments.services.availability import save_hours
from config.api.problem import Forbidden
from config.api.views import ArchivedModelViewSet, ModelViewSet
from practices.models import Resource
from practices.tenancy import current_actor


class AppointmentTypeViewSet(ArchivedModelViewSet[AppointmentType]):
    """Kinds of visit. One that is no longer offered is made inactive, since past visits refer to it."""

    queryset = AppointmentType.objects.all()
    serializer_class = AppointmentTypeSerializer
    filterset_fields = {"active": ["exact"], "online": ["exact"]}
    ordering = ("name",)
    ordering_fields = ("name", "created_at")


class _AvailabilityViewSet(ModelViewSet[Any]):
    """A provider reads and writes the hours of their own calendar, where the role table says so."""

    filterset_fields = {"resource": ["exact"], "location": ["exact"]}

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if sees_only_own(Area.AVAILABILITY):
            rows = rows.filter(resource__provider__membership__user=current_actor().id)
        return rows

    def is_own(self, row: Any) -> bool:
        return _is_own_calendar(row.resource)

    def perform_create(self, serializer: BaseSerializer[Any]) -> Any:
        self._check_calendar(serializer)
        model: Any = self.get_queryset().model
        return save_hours(model(**serializer.validated_data))

    def perform_update(self, serializer: BaseSerializer[Any]) -> Any:
        self._check_calendar(serializer)
        row: Any = serializer.instance
        for name, value in serializer.validated_data.items():
            setattr(row, name, value)
        return save_hours(row)

    @staticmethod
    def _check_calendar(serializer: BaseSerializer[Any]) -> None:
        """The calendar that the hours are for, or are moved to, has to be one that the caller may write."""
        resource = serializer.validated_data.get("resource")
        if resource is not None and not allowed(
            current_actor().roles, Area.AVAILABILITY, Access.WRITE, own=_is_own_calendar(resource)
        ):
            raise Forbidden()


def _is_own_calendar(resource: Resource) -> bool:
    return resource.provider is not None and resource.provider.membership.user_id == current_actor().id


class AvailabilityRuleViewSet(_AvailabilityViewSet):
    queryset = AvailabilityRule.objects.all()
    serializer_class = AvailabilityRuleSerializer
    ordering = ("weekday", "start_time")
    ordering_fields = {"weekday": ("weekday", "start_time")}


class AvailabilityExceptionViewSet(_AvailabilityViewSet):
    queryset = AvailabilityException.objects.all()
    serializer_class = AvailabilityExceptionSerializer
    ordering = ("start_date",)
    ordering_fields = ("start_date",)
