import datetime

from django.utils import timezone
from rest_framework import serializers

from appointments.models import Appointment
from appointments.serializers.appointment import AppointmentSerializer, ProviderSummarySerializer
from config.api import fields
from config.api.serializers import QuerySerializer, StrictSerializer
from practices.models import Location


class DayQuery(QuerySerializer):
    location = fields.RelatedIdField(queryset=Location.objects.all())
    date = fields.DateField(help_text="A day on the location's clock.")

    def validate_date(self, day: datetime.date) -> datetime.date:
        """A day on which, and after which, every zone's clock has a midnight that can be written down."""
        if not datetime.MINYEAR < day.year < datetime.MAXYEAR:
            raise serializers.ValidationError("Give a day of these times.")
        return day


class SpanSerializer(StrictSerializer):
    start = fields.InstantField()
    end = fields.InstantField()


class DayVisitSerializer(AppointmentSerializer):
    waiting_minutes = serializers.SerializerMethodField()

    class Meta:
        model = Appointment
        fields = (
            *(name for name in AppointmentSerializer.Meta.fields if name not in {"notes", "created_at", "updated_at"}),
            "waiting_minutes",
        )
        read_only_fields = fields

    def get_waiting_minutes(self, visit: Appointment) -> int | None:
        """Whole minutes from arriving to checking in, or until now; null for who hasn't arrived."""
        waited = visit.waited(timezone.now())
        return None if waited is None else int(waited.total_seconds() // 60)


class ProviderDaySerializer(StrictSerializer):
    provider = ProviderSummarySerializer()
    available = SpanSerializer(many=True)
    gaps = SpanSerializer(many=True, help_text="What is left of the available time.")
    visits = DayVisitSerializer(many=True, help_text="By start; cancelled ones and no-shows too.")


class DaySerializer(StrictSerializer):
    location = serializers.UUIDField(source="location.pk")
    date = fields.DateField()
    time_zone = fields.TextField()
    start = fields.InstantField()
    end = fields.InstantField()
    providers = ProviderDaySerializer(many=True)
