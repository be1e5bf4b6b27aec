from typing import Any

from appointments.models import AppointmentType, Reminder, ReminderRule
from config.api import fields
from config.api.serializers import StrictModelSerializer


class ReminderRuleSerializer(StrictModelSerializer[ReminderRule]):
    appointment_types = fields.RelatedIdField(
        many=True, required=False, queryset=AppointmentType.objects.all(), help_text="None: for all of them."
    )

    class Meta:
        model = ReminderRule
        fields = (
            "id",
            "name",
            "channel",
            "days_before",
            "minutes_before",
            "appointment_types",
            "active",
            "version",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "version", "created_at", "updated_at")

    def create(self, validated_data: dict[str, Any]) -> ReminderRule:
        """Who says only how many minutes before doesn't mean a day more."""
        if validated_data.get("minutes_before"):
            validated_data.setdefault("days_before", 0)
        return super().create(validated_data)


class ReminderSerializer(StrictModelSerializer[Reminder]):
    class Meta:
        model = Reminder
        fields = ("id", "rule", "channel", "due_at", "status", "skip_reason")
        read_only_fields = fields
