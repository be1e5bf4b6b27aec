from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Membership, ProviderProfile, User
from accounts.roles import Role
from config.api.fields import ChoiceField
from config.api.rows import RowField
from config.api.serializers import StrictModelSerializer

STAMPS = ["id", "version", "created_at", "updated_at"]


class MemberUserSerializer(StrictModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "email", "name"]
        read_only_fields = fields


class MemberSerializer(StrictModelSerializer[Membership]):
    """A user of the practice and what they are there; of the two only `roles` is changed here."""

    user = MemberUserSerializer(read_only=True)
    roles = serializers.ListField(child=ChoiceField(choices=Role.choices), min_length=1, max_length=len(Role))

    class Meta:
        model = Membership
        fields = [*STAMPS, "user", "roles", "status"]
        read_only_fields = [*STAMPS, "status"]


@extend_schema_field({"type": ["string", "null"], "format": "uuid"})
class CalendarField(RowField):
    """The id of a provider's calendar."""

    row_columns: ClassVar[Mapping[str, str]] = {
        "resource": "(SELECT r.id FROM practices_resource AS r"
        " WHERE r.practice_id = t.practice_id AND r.provider_id = t.id ORDER BY r.id LIMIT 1)"
    }

    def from_row(self, resource: str | None = None, **values: Any) -> str | None:
        return resource

    def from_object(self, instance: ProviderProfile) -> UUID | None:
        return next((calendar.pk for calendar in instance.resources.order_by("pk")), None)


class ProviderSerializer(StrictModelSerializer[ProviderProfile]):
    """A member who sees patients. `resource` is their calendar, which is made with the profile."""

    resource = CalendarField()

    class Meta:
        model = ProviderProfile
        fields = [
            *STAMPS,
            "membership",
            "resource",
            "display_name",
            "specialty",
            "registration_number",
            "time_zone",
            "colour",
            "accepts_new",
            "active",
        ]
        read_only_fields = STAMPS

    def validate_membership(self, membership: Membership) -> Membership:
        if isinstance(self.instance, ProviderProfile) and membership.pk != self.instance.membership_id:
            raise serializers.ValidationError("A profile stays with its member; make another one.", code="immutable")
        return membership
