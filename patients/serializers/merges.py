from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Count
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.serializers.members import MemberUserSerializer
from config.api import fields
from config.api.rows import RowField
from config.api.serializers import StrictModelSerializer, StrictSerializer
from patients.models import Patient, PatientMerge
from practices.tenancy import current_scope

_ITEMS = "patients_patientmergeitem WHERE practice_id = t.practice_id AND merge_id = t.id AND outcome"
_MOVED = (
    "(SELECT coalesce(json_agg(json_build_object('entity', m.entity, 'count', m.count) ORDER BY m.entity), '[]')"  # noqa: S608  # constant text
    f" FROM (SELECT entity, count(*) FROM {_ITEMS} = 'moved' GROUP BY entity) AS m)"
)
_KEPT = (
    "(SELECT coalesce(json_agg(json_build_object('entity', entity, 'id', row_id, 'constraint', \"constraint\")"  # noqa: S608  # constant text
    f" ORDER BY entity, row_id), '[]') FROM {_ITEMS} = 'kept')"
)


class VisiblePatientField(fields.RelatedIdField):
    """A patient whom the caller can't see is no patient."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=Patient.objects.all(), **kwargs)

    def get_queryset(self) -> Any:
        scope = current_scope()
        patients: Any = super().get_queryset()
        return patients.visible_to(scope.actor) if scope is not None else patients


class MovedSerializer(StrictSerializer):
    entity = serializers.CharField()
    count = serializers.IntegerField()


class MergedRowSerializer(StrictSerializer):
    entity = serializers.CharField()
    id = serializers.UUIDField()


class KeptSerializer(MergedRowSerializer):
    constraint = serializers.CharField(help_text="Of what the survivor has the like already.")


@extend_schema_field(MovedSerializer(many=True))
class MovedField(RowField):
    row_columns: ClassVar[Mapping[str, str]] = {"moved": _MOVED}

    def from_row(self, *, moved: Any = None, **values: Any) -> Any:
        return moved

    def from_object(self, instance: PatientMerge) -> Any:
        return list(
            instance.items.filter(outcome="moved").values("entity").annotate(count=Count("pk")).order_by("entity")
        )


@extend_schema_field(KeptSerializer(many=True))
class KeptField(RowField):
    row_columns: ClassVar[Mapping[str, str]] = {"kept": _KEPT}

    def from_row(self, *, kept: Any = None, **values: Any) -> Any:
        return kept

    def from_object(self, instance: PatientMerge) -> Any:
        kept = instance.items.filter(outcome="kept").order_by("entity", "row_id")
        names = ("entity", "row_id", "constraint")
        return [{"entity": a, "id": b, "constraint": c} for a, b, c in kept.values_list(*names)]


class MergeRequest(StrictSerializer):
    source = VisiblePatientField(  # type: ignore[assignment]  # the metaclass takes it off the class
        help_text="The chart that goes into the one of the path."
    )
    reason = fields.TextField(max_length=500)
    dry_run = fields.BooleanField(default=False, help_text="Only say what would be moved.")


class PatientMergeSerializer(StrictModelSerializer[PatientMerge]):
    """Rows of the source that were moved, and those that it kept since the survivor has their like."""

    by = MemberUserSerializer(read_only=True, allow_null=True)
    reversed_by = MemberUserSerializer(read_only=True, allow_null=True)
    moved = MovedField()
    kept = KeptField()

    class Meta:
        model = PatientMerge
        fields = [
            "id",
            "survivor",
            "source",
            "reason",
            "by",
            "reversed_at",
            "reversed_by",
            "moved",
            "kept",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class MergeResponse(PatientMergeSerializer):
    """`dry_run`: nothing was done; the answer's `id` leads nowhere."""

    dry_run = serializers.BooleanField(read_only=True)

    class Meta(PatientMergeSerializer.Meta):
        fields = [*PatientMergeSerializer.Meta.fields, "dry_run"]
        read_only_fields = fields


class ReversalResponse(PatientMergeSerializer):
    made_since = MergedRowSerializer(
        many=True, read_only=True, help_text="Made after the merge: they stay with the survivor."
    )

    class Meta(PatientMergeSerializer.Meta):
        fields = [*PatientMergeSerializer.Meta.fields, "made_since"]
        read_only_fields = fields
