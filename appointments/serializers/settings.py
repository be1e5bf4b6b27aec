from appointments.models import AppointmentType, AvailabilityException, AvailabilityRule
from config.api.serializers import StrictModelSerializer


class AppointmentTypeSerializer(StrictModelSerializer[AppointmentType]):
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
            "colour",
            "online",
            "active",
            "version",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "version", "created_at", "updated_at")


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
