from rest_framework import serializers

from accounts.models import ProviderProfile
from appointments.models import WaitlistEntry, WaitlistWindow
from appointments.serializers.appointment import PatientIdField, related
from appointments.serializers.row_fields import PatientSummaryField
from config.api import fields
from config.api.serializers import StrictModelSerializer, StrictSerializer
from patients.models import Patient
from practices.models import Location

MAX_WINDOWS = 20


class WaitlistWindowSerializer(StrictModelSerializer[WaitlistWindow]):
    class Meta:
        model = WaitlistWindow
        fields = ("weekday", "start_time", "end_time")


class WaitlistEntrySerializer(StrictModelSerializer[WaitlistEntry]):
    """As every answer shows an entry; `offer` is the held appointment while one is offered, which confirming books."""

    patient = PatientSummaryField()
    windows = WaitlistWindowSerializer(many=True, read_only=True)
    offer = serializers.UUIDField(read_only=True, allow_null=True)
    offer_expires_at = fields.InstantField(read_only=True, allow_null=True)

    class Meta:
        model = WaitlistEntry
        fields = (
            "id",
            "patient",
            "appointment_type",
            "provider",
            "location",
            "priority",
            "earliest_date",
            "latest_date",
            "windows",
            "status",
            "offer",
            "offer_expires_at",
            "version",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class WaitlistPatchSerializer(StrictModelSerializer[WaitlistEntry]):
    windows = serializers.ListField(child=WaitlistWindowSerializer(), required=False, max_length=MAX_WINDOWS)

    class Meta:
        model = WaitlistEntry
        fields = ("appointment_type", "provider", "location", "priority", "earliest_date", "latest_date", "windows")


class WaitlistRequestSerializer(WaitlistPatchSerializer):
    patient = PatientIdField(queryset=Patient.objects.all())

    class Meta:
        model = WaitlistEntry
        fields = ("patient", *WaitlistPatchSerializer.Meta.fields)


class OfferSerializer(StrictSerializer):
    """Without a start the first free time that the entry wants is held."""

    start = fields.LocalOrInstantField(required=False)
    provider = related(ProviderProfile, required=False)
    location = related(Location, required=False)
