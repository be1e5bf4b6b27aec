from config.api import fields
from config.api.serializers import StrictModelSerializer
from patients.models import PatientIdentifier


class PatientIdentifierSerializer(StrictModelSerializer[PatientIdentifier]):
    value = fields.TextField(max_length=64)

    class Meta:
        model = PatientIdentifier
        fields = ["id", "type", "value", "period_start", "period_end", "version", "created_at", "updated_at"]
        read_only_fields = ["version"]
