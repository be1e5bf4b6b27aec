from rest_framework import serializers

from accounts.api_keys import SCOPES
from accounts.models import ApiKey
from accounts.serializers.members import MemberUserSerializer
from config.api.fields import ChoiceField, InstantField, TextField
from config.api.serializers import StrictModelSerializer, StrictSerializer


class ApiKeySerializer(StrictModelSerializer[ApiKey]):
    """`created_by` is whose present roles the key never exceeds; it stops when they are suspended or leave."""

    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES), read_only=True)
    created_by = MemberUserSerializer(source="member.user", read_only=True)

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "name",
            "prefix",
            "scopes",
            "created_by",
            "expires_at",
            "last_used_at",
            "revoked_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class NewApiKeySerializer(ApiKeySerializer):
    """The only answer that shows the key: it is kept as a hash."""

    key = serializers.CharField(read_only=True, help_text="For the header `Authorization: Bearer`.")

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "key"]
        read_only_fields = fields


class ApiKeyRequest(StrictSerializer):
    name = TextField(max_length=100)
    scopes = serializers.ListField(child=ChoiceField(choices=SCOPES), min_length=1, max_length=len(SCOPES))
    expires_at = InstantField()
