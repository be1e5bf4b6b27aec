from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers

from config.api.problem import model_errors
from config.api.serializers import StrictModelSerializer
from integrations.models import Message, MessageTemplate


class MessageSerializer(StrictModelSerializer[Message]):
    """Where a message went and what became of it."""

    class Meta:
        model = Message
        fields = [
            *("id", "kind", "channel", "to", "patient", "appointment", "status", "error_code", "vendor", "vendor_id"),
            *("sent_at", "created_at", "updated_at"),
        ]
        read_only_fields = fields


class MessageTemplateSerializer(StrictModelSerializer[MessageTemplate]):
    class Meta:
        model = MessageTemplate
        fields = ["id", "kind", "channel", "subject", "body", "active", "version", "created_at", "updated_at"]
        read_only_fields = ["id", "version", "created_at", "updated_at"]

    def check_constraints(self, attrs: Mapping[str, Any]) -> None:
        """The model's own rules first: they name the field that a constraint can't."""
        try:
            self._candidate(attrs).clean()
        except ValidationError as exc:
            raise serializers.ValidationError(model_errors(exc)) from exc
        super().check_constraints(attrs)
