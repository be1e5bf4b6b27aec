from rest_framework import serializers

from appointments.models import AppointmentType, AvailabilityException, AvailabilityRule
from config.api.fields import ChoiceField
from config.api.serializers import StrictModelSerializer


class AppointmentTypeSerializer(StrictModelSerializer[AppointmentType]):
    required_resource_kinds = serializers.ListField(
        child=ChoiceField(choices=AppointmentType.RESOURCE_KINDS),
        required=False,
        max_length=len(AppointmentType.RESOURCE_KINDS),
        help_text="A free one of each at the location is booked along with the provider.",
    )

    class Meta:
        model = AppointmentType
        fields = (
            "id",
            "name",
            "duration",
            "buffer_before",
            "buffer_after",
            "alignment",
            "mode",
            "max_attendees",
            "required_resource_kinds",
            "colour",
            "online",
            "active",
            "version",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "version", "created_at", "updated_at")

    def validate_required_resource_kinds(self, kinds: list[str]) -> list[str]:
        if len(set(kinds)) != len(kinds):
            raise serializers.ValidationError("Name each kind once.", code="duplicate")
        return kinds


class AvailabilityRuleSerializer(StrictModelSerializer[AvailabilityRule]):
    class Meta:
        model = AvailabilityRule
        fields = (
            "id",
            "resource",
            "location",
            "weekday",
            "start_time",
            "end_time",
            "time_zone",
            "valid_from",
            "valid_to",
            "every_n_weeks",
            "version",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "version", "created_at", "updated_at")


class AvailabilityExceptionSerializer(StrictModelSerializer[AvailabilityException]):
    class Meta:
        model = AvailabilityException
        fields = (
            "id",
            "resource",
            "location",
            "kind",
            "start_date",
            "end_date",
            "start_time",
            "end_time",
            "reason",
            "version",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "version", "created_at", "updated_at")
