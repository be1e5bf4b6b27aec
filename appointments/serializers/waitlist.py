from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import ProviderProfile
from appointments.models import WaitlistEntry, WaitlistWindow
from appointments.serializers.appointment import PatientIdField, related
from appointments.serializers.row_fields import PatientSummaryField
from config.api import fields
from config.api.rows import RowField
from config.api.serializers import StrictModelSerializer, StrictSerializer
from patients.models import Patient
from practices.models import Location

MAX_WINDOWS = 20


class WaitlistWindowSerializer(StrictModelSerializer[WaitlistWindow]):
    class Meta:
        model = WaitlistWindow
        fields = ("weekday", "start_time", "end_time")


_OPEN = "FROM appointments_waitlistoffer AS o JOIN appointments_appointment AS a"
_OPEN += " ON a.practice_id = o.practice_id AND a.id = o.appointment_id"
_OPEN += " WHERE o.practice_id = t.practice_id AND o.entry_id = t.id AND o.outcome = 'open'"
"""The offer under way, of which there is one at most."""


@extend_schema_field(serializers.UUIDField(allow_null=True))
class OfferField(RowField):
    row_columns: ClassVar[Mapping[str, str]] = {"held": f"(SELECT a.id {_OPEN})"}

    def from_row(self, *, held: str | None = None, **values: Any) -> str | None:
        return held

    def from_object(self, instance: WaitlistEntry) -> UUID | None:
        return instance.offers.filter(outcome="open").values_list("appointment", flat=True).first()


@extend_schema_field(fields.InstantField(allow_null=True))
class OfferExpiryField(RowField):
    row_columns: ClassVar[Mapping[str, str]] = {
        "until": f"(SELECT (to_json(a.hold_expires_at AT TIME ZONE 'UTC') #>> '{{}}') || 'Z' {_OPEN})"
    }

    def from_row(self, *, until: str | None = None, **values: Any) -> str | None:
        return until

    def from_object(self, instance: WaitlistEntry) -> datetime | None:
        return instance.offers.filter(outcome="open").values_list("appointment__hold_expires_at", flat=True).first()


class WaitlistEntrySerializer(StrictModelSerializer[WaitlistEntry]):
    """As every answer shows an entry; `offer` is the held appointment while one is offered, which confirming books."""

    patient = PatientSummaryField()
    windows = WaitlistWindowSerializer(many=True, read_only=True)
    offer = OfferField()
    offer_expires_at = OfferExpiryField()

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
