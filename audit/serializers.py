from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audit.models import AuditEvent
from config.api.serializers import StrictModelSerializer, StrictSerializer


class ActorSerializer(StrictSerializer):
    kind = serializers.ChoiceField(choices=AuditEvent.ActorKind.choices)
    id = serializers.UUIDField(allow_null=True)
    label = serializers.CharField()  # type: ignore[assignment]  # the metaclass takes it off the class
    roles = serializers.ListField(child=serializers.CharField())


_CHANGES = {
    "type": "object",
    "description": "Field name -> [before, after]; null in place of the pair where values are not recorded.",
    "additionalProperties": {
        "type": ["array", "null"],
        "items": {},
        "minItems": 2,
        "maxItems": 2,
    },
}


class AuditEventSerializer(StrictModelSerializer[AuditEvent]):
    """Who did what to which row, when and from where."""

    actor = serializers.SerializerMethodField()
    patients = serializers.ListField(child=serializers.UUIDField(), source="patient_ids", read_only=True)
    changes = serializers.SerializerMethodField()

    class Meta:
        model = AuditEvent
        fields = [
            "id",
            "at",
            "actor",
            "action",
            "entity",
            "entity_id",
            "patients",
            "changes",
            "operation",
            "reason",
            "status",
            "request_id",
            "ip",
        ]
        read_only_fields = fields

    @extend_schema_field(ActorSerializer)
    def get_actor(self, event: AuditEvent) -> dict[str, Any]:
        return {"kind": event.actor_kind, "id": event.actor_id, "label": event.actor_label, "roles": event.roles}

    @extend_schema_field(_CHANGES)
    def get_changes(self, event: AuditEvent) -> dict[str, Any]:
        changes: dict[str, Any] = event.changes
        return changes
