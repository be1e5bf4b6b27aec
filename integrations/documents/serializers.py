from rest_framework import serializers

from config.api import fields
from config.api.serializers import StrictModelSerializer, StrictSerializer
from integrations.models import StoredFile
from patients.models import PatientDocument


class UploadRequestSerializer(StrictSerializer):
    filename = fields.TextField(max_length=200)
    content_type = fields.TextField(max_length=100)
    size = fields.IntegerField(min_value=1, help_text="In bytes.")


class UploadSerializer(StrictSerializer):
    """Post `fields` and then the bytes as `file` to `url`, as multipart/form-data; then name `id` in the document."""

    id = fields.UUIDField()
    url = serializers.CharField()
    fields_ = serializers.DictField(child=serializers.CharField())
    expires_at = fields.InstantField()

    def get_fields(self) -> dict[str, "serializers.Field[object, object, object, object]"]:
        """`fields` is what serializers call their own."""
        declared = super().get_fields()
        return {name.rstrip("_"): each for name, each in declared.items()}


class LinkSerializer(StrictSerializer):
    url = serializers.CharField()
    expires_at = fields.InstantField()


class StoredFileSerializer(StrictModelSerializer[StoredFile]):
    class Meta:
        model = StoredFile
        fields = ["filename", "content_type", "size", "sha256"]
        read_only_fields = fields


WRITABLE = ["title", "category", "sensitivity", "status"]


class DocumentSerializer(StrictModelSerializer[PatientDocument]):
    file = StoredFileSerializer(read_only=True)

    class Meta:
        model = PatientDocument
        fields = ["id", *WRITABLE, "file", "added_by", "version", "created_at", "updated_at"]
        read_only_fields = fields


class DocumentUpdateSerializer(StrictModelSerializer[PatientDocument]):
    title = fields.TextField(max_length=200)

    class Meta:
        model = PatientDocument
        fields = WRITABLE


class DocumentCreateSerializer(DocumentUpdateSerializer):
    upload = fields.RelatedIdField(queryset=StoredFile.objects.all())

    class Meta(DocumentUpdateSerializer.Meta):
        fields = [*WRITABLE, "upload"]
