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


class ReminderSerializer(StrictModelSerializer[Reminder]):
    class Meta:
        model = Reminder
        fields = ("id", "rule", "channel", "due_at", "status", "skip_reason")
        read_only_fields = fields
