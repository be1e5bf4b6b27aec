from config.api.serializers import StrictModelSerializer
from integrations.models import PatientExport


class PatientExportSerializer(StrictModelSerializer[PatientExport]):
    """`queued` until the copy is made; then `ready` until `expires_at`, when it is removed and the row `expired`."""

    class Meta:
        model = PatientExport
        fields = [
            "id",
            "patient",
            "requested_by",
            "status",
            "size",
            "sha256",
            "error_code",
            "expires_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields
