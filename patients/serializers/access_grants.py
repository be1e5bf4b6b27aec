from accounts.serializers.auth import SecretField
from accounts.serializers.members import MemberUserSerializer
from config.api import fields
from config.api.serializers import StrictModelSerializer, StrictSerializer
from patients.models import AccessGrant


class AccessGrantRequest(StrictSerializer):
    reason = fields.TextField(max_length=500)
    password = SecretField(max_length=1000, help_text="The caller's own, once more.")


class ReviewRequest(StrictSerializer):
    note = fields.TextField(max_length=500, required=False, default="", allow_blank=True)


class AccessGrantSerializer(StrictModelSerializer[AccessGrant]):
    """Who was let into which restricted chart, why, until when, and who has looked into it since."""

    user = MemberUserSerializer(read_only=True)
    reviewed_by = MemberUserSerializer(read_only=True, allow_null=True)

    class Meta:
        model = AccessGrant
        fields = [
            "id",
            "patient",
            "user",
            "reason",
            "expires_at",
            "reviewed_at",
            "reviewed_by",
            "review_note",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields
