from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import ProviderProfile
from appointments.models import Appointment, AppointmentSeries, AppointmentType
from appointments.recurrence import MOST, Recurrence, RecurrenceError
from appointments.serializers.appointment import (
    CancelSerializer,
    PatientIdField,
    ProviderSummarySerializer,
    related,
)
from appointments.serializers.row_fields import NotesInputField, PatientSummaryField
from appointments.services.series import OnConflict, Scope
from config.api import fields
from config.api.serializers import StrictModelSerializer, StrictSerializer
from patients.models import Patient
from practices.models import Location, Resource

MAX_RULE = 200
"""Characters; a rule that is cut later needs a few more."""


@extend_schema_field(
    {"type": "string", "maxLength": MAX_RULE, "examples": ["FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=10"]}
)
class RecurrenceField(fields.TextField):
    """RFC 5545, as far as `appointments.recurrence` reads it."""

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        if len(text) > MAX_RULE:
            raise serializers.ValidationError(f"A rule has {MAX_RULE} characters at most.", code="max_length")
        try:
            return Recurrence.parse(text)
        except RecurrenceError as exc:
            raise serializers.ValidationError(str(exc), code="invalid") from exc


class AppointmentSeriesSerializer(StrictModelSerializer[AppointmentSeries]):
    """Its visits are at `/appointments?series=`. `start_time` and `exdates` are of the clock in `time_zone`."""

    patient = PatientSummaryField()
    provider = ProviderSummarySerializer(read_only=True)

    class Meta:
        model = AppointmentSeries
        fields = (
            "id",
            "patient",
            "appointment_type",
            "provider",
            "location",
            "rrule",
            "start_date",
            "start_time",
            "duration",
            "time_zone",
            "exdates",
            "version",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class SeriesPreviewRequest(StrictSerializer):
    """`start` is the first visit's, without an offset the location's wall clock. The rule needs COUNT or UNTIL."""

    patient = PatientIdField(queryset=Patient.objects.all())
    appointment_type = related(AppointmentType)
    provider = related(ProviderProfile)
    location = related(Location)
    start = fields.LocalOrInstantField()
    end = fields.LocalOrInstantField(required=False)
    rrule = RecurrenceField()
    exdates = serializers.ListField(child=fields.DateField(), required=False, default=list, max_length=MOST)
    resources = serializers.ListField(child=related(Resource), required=False, default=list, max_length=10)
    notes = NotesInputField(default="")


class SeriesBookingRequest(SeriesPreviewRequest):
    on_conflict = fields.ChoiceField(choices=OnConflict.choices, required=False, default=OnConflict.REFUSE)


class SeriesScopeRequest(StrictSerializer):
    """`appointment` is the visit that `this` and `following` are about."""

    scope = fields.ChoiceField(choices=Scope.choices)
    appointment = related(Appointment, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["scope"] != Scope.ALL and "appointment" not in attrs:
            raise serializers.ValidationError({"appointment": "Name the visit."}, code="required")
        return attrs


class SeriesRescheduleRequest(SeriesScopeRequest):
    """`start` is the new one of the named visit, or of the first to come; the others move by as many days."""

    start = fields.LocalOrInstantField(required=False)
    provider = related(ProviderProfile, required=False)
    location = related(Location, required=False)
    on_conflict = fields.ChoiceField(choices=OnConflict.choices, required=False, default=OnConflict.REFUSE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not {"start", "provider", "location"} & set(attrs):
            raise serializers.ValidationError({"start": "Say what is to be changed."}, code="required")
        return super().validate(attrs)


class SeriesCancelRequest(SeriesScopeRequest, CancelSerializer):
    pass


class RefusalSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()


class ConflictSerializer(serializers.Serializer[Any]):
    resource = serializers.UUIDField()
    start = fields.InstantField()
    end = fields.InstantField()


class OccurrenceSerializer(serializers.Serializer[Any]):
    """One day of a series. Without `start` the clocks skip the time, or show it twice and no offset says which."""

    index = serializers.IntegerField()
    date = fields.DateField()
    start = fields.InstantField(allow_null=True)
    end = fields.InstantField(allow_null=True)
    available = serializers.BooleanField()
    problems = RefusalSerializer(many=True)
    conflicts = ConflictSerializer(many=True)


class SeriesPreviewSerializer(serializers.Serializer[Any]):
    """Every day of the rule, whatever speaks against it."""

    time_zone = serializers.CharField()
    occurrences = OccurrenceSerializer(many=True)
