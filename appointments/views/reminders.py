from rest_framework.serializers import BaseSerializer

from appointments.models import ReminderRule
from appointments.serializers.reminders import ReminderRuleSerializer
from appointments.services import reminders
from config.api.views import ModelViewSet


class ReminderRuleViewSet(ModelViewSet[ReminderRule]):
    """When patients are reminded. A change holds for visits that are booked already, too."""

    queryset = ReminderRule.objects.all()
    serializer_class = ReminderRuleSerializer
    filterset_fields = {"channel": ["exact"], "active": ["exact"]}
    ordering = ("name",)
    ordering_fields = ("name", "created_at")

    def perform_create(self, serializer: BaseSerializer[ReminderRule]) -> ReminderRule:
        return self._applied(super().perform_create(serializer))

    def perform_update(self, serializer: BaseSerializer[ReminderRule]) -> ReminderRule:
        return self._applied(super().perform_update(serializer))

    @staticmethod
    def _applied(rule: ReminderRule) -> ReminderRule:
        reminders.apply(rule)
        return rule
