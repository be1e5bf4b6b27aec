from rest_framework import serializers

from accounts.roles import Role
from config.api import fields
from config.api.serializers import StrictModelSerializer
from patients.models import Alert


class AlertSerializer(StrictModelSerializer[Alert]):
    text = fields.TextField(max_length=500)
    shown_to = serializers.ListField(
        child=fields.ChoiceField(choices=Role.choices),
        required=False,
        max_length=len(Role),
        help_text="Roles that see it, of those that may read alerts; none means all.",
    )

    class Meta:
        model = Alert
        fields = [
            *("id", "text", "severity", "shown_to", "status", "period_start", "period_end"),
            *("version", "created_at", "updated_at"),
        ]
        read_only_fields = ["version"]
