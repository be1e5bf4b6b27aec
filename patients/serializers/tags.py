from config.api.serializers import StrictModelSerializer
from patients.models import PatientTag, Tag


class TagSerializer(StrictModelSerializer[Tag]):
    class Meta:
        model = Tag
        fields = ["id", "name", "colour", "version", "created_at", "updated_at"]
        read_only_fields = ["version"]


class PatientTagSerializer(StrictModelSerializer[PatientTag]):
    class Meta:
        model = PatientTag
        fields = ["id", "tag", "created_at"]
