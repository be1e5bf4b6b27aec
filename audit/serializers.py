from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audit.models import AuditEvent
from config.api.rows import RowField
from config.api.serializers import StrictModelSerializer, StrictSerializer


class ActorSerializer(StrictSerializer):
    kind = serializers.ChoiceField(choices=AuditEvent.ActorKind.choices)
    id = serializers.UUIDField(allow_null=True)
    label = serializers.CharField()  # type: ignore[assignment]  # the metaclass takes it off the class
    roles = serializers.ListField(child=serializers.CharField())


@extend_schema_field(ActorSerializer)
class ActorField(RowField):
    row_columns: ClassVar[Mapping[str, str]] = {
        "kind": "actor_kind",
        "id": "actor_id",
        "label": "actor_label",
        "roles": "roles",
    }

    def from_row(self, **values: Any) -> dict[str, Any]:
        return values


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


@extend_schema_field(_CHANGES)
class ChangesField(serializers.JSONField):
    pass


class AuditEventSerializer(StrictModelSerializer[AuditEvent]):
    """Who did what to which row, when and from where."""

    actor = ActorField()
    patients = serializers.ListField(child=serializers.UUIDField(), source="patient_ids", read_only=True)
    changes = ChangesField(read_only=True)

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
