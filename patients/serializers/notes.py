from config.api import fields
from config.api.serializers import StrictModelSerializer
from patients.models import PatientNote


class NoteSerializer(StrictModelSerializer[PatientNote]):
    """`amends` is named when the amendment is written, and never after."""

    title = fields.TextField(required=False, allow_blank=True, max_length=200)
    text = fields.MultilineField(max_length=50_000)

    class Meta:
        model = PatientNote
        fields = ["id", "author", "title", "text", "amends", "signed_at", "version", "created_at", "updated_at"]
        read_only_fields = ["author", "signed_at", "version"]


class NoteUpdateSerializer(NoteSerializer):
    class Meta(NoteSerializer.Meta):
        read_only_fields = ["author", "amends", "signed_at", "version"]
