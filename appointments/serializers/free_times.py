from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers

from accounts.models import ProviderProfile
from appointments.local_time import UnknownTimeZone, time_zone
from appointments.models import AppointmentType
from config.api import fields
from config.api.serializers import QuerySerializer, StrictSerializer
from practices.models import Location, Resource

MAX_WINDOW = timedelta(days=60)
MAX_RESOURCES = 10
MAX_NEXT = 50
RESOURCES_HELP = "Ids of what has to be free too, separated by commas; what the type requires is anyway."
IDS = {"type": "array", "items": {"type": "string", "format": "uuid"}, "maxItems": MAX_RESOURCES}
RESOURCES = OpenApiParameter(
    "resources",
    IDS,
    style="form",
    explode=False,
    description=RESOURCES_HELP,
)


@extend_schema_field(IDS)
class ResourceIdsField(serializers.Field[Any, Any, Any, Any]):
    """Ids of rooms, devices or calendars, separated by commas; one statement."""

    default_error_messages = {
        "invalid": "Give ids separated by commas.",
        "max_length": f"Name {MAX_RESOURCES} resources at most, each once.",
        "does_not_exist": "There is no such object.",
    }

    def to_internal_value(self, data: Any) -> list[Resource]:
        try:
            wanted = [UUID(part) for part in str(data).split(",")]
        except ValueError:
            self.fail("invalid")
        if len(wanted) > MAX_RESOURCES or len(set(wanted)) < len(wanted):
            self.fail("max_length")
        found = list(Resource.objects.filter(pk__in=wanted))
        if len(found) < len(wanted):
            self.fail("does_not_exist")
        return found


class FreeTimeQuery(QuerySerializer):
    appointment_type = fields.RelatedIdField(queryset=AppointmentType.objects.all())
    provider = fields.RelatedIdField(queryset=ProviderProfile.objects.all(), required=False)
    location = fields.RelatedIdField(queryset=Location.objects.all(), required=False)
    resources = ResourceIdsField(required=False, help_text=RESOURCES_HELP)
    to = fields.InstantField(help_text="Visits start before it; 60 days after `from` at most.")
    time_zone = fields.TextField(required=False, help_text="An IANA zone to show times in; else that of the hours.")

    def get_fields(self) -> dict[str, Any]:
        """`from` can't be written as a class attribute."""
        return {**super().get_fields(), "from": fields.InstantField(help_text="Visits start at it or later.")}

    def validate_time_zone(self, name: str) -> ZoneInfo:
        try:
            return time_zone(name)
        except UnknownTimeZone as exc:
            raise serializers.ValidationError("Give an IANA time zone, such as Europe/Berlin.") from exc

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["to"] <= attrs["from"]:
            raise serializers.ValidationError({"to": "The window has to end after it begins."})
        if attrs["to"] - attrs["from"] > MAX_WINDOW:
            raise serializers.ValidationError({"to": f"Ask for {MAX_WINDOW.days} days at most."}, code="too_long")
        return attrs


class NextFreeTimeQuery(FreeTimeQuery):
    """All but the type may be left out: then it is from now on, for 60 days."""

    to = fields.InstantField(required=False, help_text="Visits start before it; else 60 days after `from`.")
    limit = serializers.IntegerField(min_value=1, max_value=MAX_NEXT, default=1)

    def get_fields(self) -> dict[str, Any]:
        earliest = fields.InstantField(required=False, help_text="Visits start at it or later; else from now on.")
        return {**super().get_fields(), "from": earliest}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        begin = attrs.setdefault("from", timezone.now())
        if "to" not in attrs:
            attrs["to"] = begin + MAX_WINDOW
        return super().validate(attrs)


class FreeTimeSerializer(StrictSerializer):
    """For the contract only: the view writes the rows itself, thousands at a time."""

    start = fields.InstantField()
    end = fields.InstantField()
    provider = fields.UUIDField()
    location = fields.UUIDField()
    time_zone = fields.TextField(help_text="The IANA zone in which start and end are given.")
