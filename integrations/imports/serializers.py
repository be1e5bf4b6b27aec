from rest_framework import serializers

from config.api import fields
from config.api.serializers import StrictModelSerializer, StrictSerializer
from integrations.imports import services
from integrations.models import ImportJob, ImportRowError, StoredFile
from patients.imports import Duplicates, Mode
from patients.imports.reading import FIELDS


class ImportUploadRequest(StrictSerializer):
    filename = fields.TextField(max_length=200)
    size = fields.IntegerField(min_value=1, help_text="In bytes.")


class ImportRequest(StrictSerializer):
    upload = fields.RelatedIdField(queryset=StoredFile.objects.all())
    mapping = serializers.DictField(
        child=fields.ChoiceField(choices=FIELDS),
        default=dict,
        help_text="Heading in the file -> field; left out, headings are called as the fields are.",
    )
    dry_run = fields.BooleanField(default=True)
    mode = fields.ChoiceField(choices=[(each.value, each.value) for each in Mode], default=Mode.ALL_OR_NOTHING.value)
    duplicates = fields.ChoiceField(
        choices=[(each.value, each.value) for each in Duplicates], default=Duplicates.REFUSE.value
    )

    def validate_mapping(self, mapping: dict[str, str]) -> dict[str, str]:
        if not services.is_reasonable(mapping):
            raise serializers.ValidationError("These are too many or too long headings.", code="too_large")
        return mapping


class ImportSerializer(StrictModelSerializer[ImportJob]):
    """How far an import is; `rows` is counted anew while a file that was found sound is written as a whole."""

    mapping = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = ImportJob
        fields = [
            "id",
            "requested_by",
            "status",
            "dry_run",
            "mode",
            "duplicates",
            "mapping",
            "rows",
            "created",
            "skipped",
            "failed",
            "error_code",
            "finished_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class ImportErrorSerializer(StrictModelSerializer[ImportRowError]):
    class Meta:
        model = ImportRowError
        fields = ["id", "job", "line", "field", "code"]
        read_only_fields = fields
