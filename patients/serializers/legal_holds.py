from accounts.serializers.members import MemberUserSerializer
from config.api import fields
from config.api.serializers import StrictModelSerializer, StrictSerializer
from patients.models import LegalHold


class LegalHoldRequest(StrictSerializer):
    reason = fields.TextField(max_length=500)


class LegalHoldSerializer(StrictModelSerializer[LegalHold]):
    placed_by = MemberUserSerializer(read_only=True)
    released_by = MemberUserSerializer(read_only=True, allow_null=True)

    class Meta:
        model = LegalHold
        fields = ["id", "patient", "reason", "placed_by", "released_at", "released_by", "created_at", "updated_at"]
        read_only_fields = fields
