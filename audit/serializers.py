from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audit.models import AuditEvent
from config.api.rows import RowField
from config.api.serializers import StrictModelSerializer, StrictSerializer
from patients.access import sees_restricted
from patients.models import Patient
from practices.tenancy import current_actor


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
    "readOnly": True,
    "description": "Field name -> [before, after]; null in place of the pair where values are not recorded,"
    " and where they are of a patient who was erased, or of a restricted one whom the caller may not see.",
    "additionalProperties": {
        "type": ["array", "null"],
        "items": {},
        "minItems": 2,
        "maxItems": 2,
    },
}


@extend_schema_field(_CHANGES)
class ChangesField(RowField):
    """Reads are the bulk of the log and have none, so that their patients needn't be looked at."""

    row_columns: ClassVar[Mapping[str, str]] = {
        "changes": "changes",
        "patients": "(CASE WHEN t.changes <> '{}' THEN (SELECT json_build_array(bool_or(p.restricted),"
        " bool_or(p.erased_at IS NOT NULL)) FROM patients_patient AS p"
        " WHERE p.practice_id = t.practice_id AND p.id = ANY(t.patient_ids)) END)",
    }

    def from_row(self, *, changes: Any = None, patients: list[bool | None] | None = None, **values: Any) -> Any:
        restricted, erased = patients or (None, None)
        hidden = erased or (restricted and not sees_restricted(current_actor()))
        return dict.fromkeys(changes) if hidden else changes

    def from_object(self, instance: AuditEvent) -> Any:
        patients = Patient.objects.filter(pk__in=instance.patient_ids)
        told = [patients.filter(restricted=True).exists(), patients.exclude(erased_at=None).exists()]
        return self.from_row(changes=instance.changes, patients=told)


class AuditEventSerializer(StrictModelSerializer[AuditEvent]):
    """Who did what to which row, when and from where."""

    actor = ActorField()
    patients = serializers.ListField(child=serializers.UUIDField(), source="patient_ids", read_only=True)
    access_grants = serializers.ListField(
        child=serializers.UUIDField(), read_only=True, help_text="Grants of break-glass that the actor had for these."
    )
    changes = ChangesField()

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
            "access_grants",
            "changes",
            "operation",
            "reason",
            "status",
            "request_id",
            "ip",
        ]
        read_only_fields = fields
