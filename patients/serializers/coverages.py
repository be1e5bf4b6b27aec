from config.api import fields
from config.api.serializers import StrictModelSerializer
from patients.models import Coverage


class CoverageSerializer(StrictModelSerializer[Coverage]):
    member_id = fields.TextField(max_length=64)

    class Meta:
        model = Coverage
        fields = [
            *("id", "payer", "plan", "member_id", "order", "period_start", "period_end", "status"),
            *("version", "created_at", "updated_at"),
        ]
        read_only_fields = ["version"]
