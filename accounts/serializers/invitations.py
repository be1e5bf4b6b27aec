from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Invitation
from accounts.roles import Role
from accounts.serializers.auth import PracticeSummary, SecretField
from accounts.serializers.members import MemberUserSerializer
from config.api.fields import ChoiceField, EmailField, TextField
from config.api.rows import RowField
from config.api.serializers import StrictModelSerializer, StrictSerializer


def roles_field() -> serializers.ListField:
    return serializers.ListField(child=ChoiceField(choices=Role.choices), min_length=1, max_length=len(Role))


@extend_schema_field(serializers.ChoiceField(choices=Invitation.Status.choices))
class StatusField(RowField):
    row_columns: ClassVar[Mapping[str, str]] = {
        "accepted_at": "accepted_at",
        "revoked_at": "revoked_at",
        "expires_at": "expires_at",
    }

    def from_row(self, **values: Any) -> str:
        instants = {name: text and datetime.fromisoformat(text) for name, text in values.items()}
        return Invitation(**instants).status


class InvitationSerializer(StrictModelSerializer[Invitation]):
    """`sent_at` is when the mail provider took the mail; null while it waits."""

    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices), read_only=True)
    status = StatusField()
    invited_by = MemberUserSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Invitation
        fields = [
            "id",
            "email",
            "roles",
            "status",
            "invited_by",
            "expires_at",
            "sent_at",
            "accepted_at",
            "revoked_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class InvitationRequest(StrictSerializer):
    email = EmailField(max_length=254)
    roles = roles_field()


class AcceptanceRequest(StrictSerializer):
    token = SecretField(max_length=200, help_text="From the link in the mail, after its `#`.")
    name = TextField(max_length=200, required=False, default="", allow_blank=True, help_text="Of a new user.")
    password = SecretField(
        max_length=1000,
        required=False,
        default="",
        help_text="A new user's choice; of somebody who has a login, that login's. Not needed when logged in as them.",
    )


class AcceptanceResponse(StrictSerializer):
    """Log in as usual to go on: accepting gives no tokens, so that it is no way around a second factor."""

    email = serializers.EmailField(read_only=True)
    practice = PracticeSummary(read_only=True)
