from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import models
from rest_framework import serializers

from accounts.models import ProviderProfile
from appointments.booking_rows import read_named
from appointments.models import Appointment, AppointmentType, StatusEvent
from appointments.serializers.row_fields import (
    AllowedTransitionsField,
    NotesField,
    NotesInputField,
    OverbookReasonField,
    PatientSummaryField,
)
from config.api import fields
from config.api.serializers import StrictModelSerializer, StrictSerializer
from patients.models import Patient
from practices.models import CancellationReason, Location, Resource
from practices.tenancy import current_actor, current_scope


def related(model: type[models.Model], **kwargs: Any) -> fields.RelatedIdField:
    """The id of one of the practice's: the model's manager knows no others."""
    return fields.RelatedIdField(queryset=model._default_manager.all(), **kwargs)


class PatientIdField(fields.RelatedIdField):
    """A patient whom the caller can't see is no patient."""

    def get_queryset(self) -> Any:
        scope = current_scope()
        patients: Any = super().get_queryset()
        return patients.visible_to(scope.actor) if scope is not None else patients


class NamedField(fields.RelatedIdField):
    """One of the ids that a booking's body names. What all of them name was read in one statement before."""

    def find(self, key: UUID) -> Any:
        body: Any = self.parent
        return body.named[self.field_name]


class ProviderSummarySerializer(serializers.ModelSerializer[ProviderProfile]):
    class Meta:
        model = ProviderProfile
        fields = ("id", "display_name")
        read_only_fields = fields


class AppointmentSerializer(StrictModelSerializer[Appointment]):
    """As every answer shows an appointment. Of a patient whom the caller can't see it shows the busy time alone;
    what the caller may not read is not there.
    """

    patient = PatientSummaryField()
    provider = ProviderSummarySerializer(read_only=True)
    overbook_reason = OverbookReasonField()
    notes = NotesField()
    allowed_transitions = AllowedTransitionsField()

    class Meta:
        model = Appointment
        fields = (
            "id",
            "patient",
            "appointment_type",
            "provider",
            "location",
            "start",
            "end",
            "time_zone",
            "status",
            "flow_stage",
            "cancellation_reason",
            "series",
            "series_index",
            "detached",
            "hold_expires_at",
            "confirmed_at",
            "arrived_at",
            "checked_in_at",
            "fulfilled_at",
            "late_cancel",
            "left_unseen",
            "overbook_reason",
            "notes",
            "allowed_transitions",
            "version",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class AppointmentPatchSerializer(StrictModelSerializer[Appointment]):
    """What may be edited; times and status change by their own actions."""

    notes = NotesInputField()

    class Meta:
        model = Appointment
        fields = ("notes", "flow_stage")


_NAMED = ("patient", "appointment_type", "provider", "location")


class BookingSerializer(StrictSerializer):
    """Either `provider` or `any_provider: true`. `start` without an offset is the location's wall clock."""

    patient = NamedField(queryset=Patient.objects.all())
    appointment_type = NamedField(queryset=AppointmentType.objects.all())
    provider = NamedField(queryset=ProviderProfile.objects.all(), required=False)
    any_provider = fields.BooleanField(required=False, default=False)
    location = NamedField(queryset=Location.objects.all())
    start = fields.LocalOrInstantField()
    end = fields.LocalOrInstantField(required=False)
    resources = serializers.ListField(child=related(Resource), required=False, default=list, max_length=10)
    hold = fields.BooleanField(required=False, default=False)
    overbook_reason = fields.TextField(required=False, default="", max_length=500)
    notes = NotesInputField(default="")
    dry_run = fields.BooleanField(required=False, default=False)

    named: dict[str, Any]

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            self.named = read_named(**{name: _id(data.get(name)) for name in _NAMED}, by=current_actor())
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("provider" in attrs) == attrs["any_provider"]:
            raise serializers.ValidationError(
                {"provider": "Name a provider, or ask for any_provider."}, code="required"
            )
        return attrs


def _id(text: Any) -> UUID | None:
    """None for what is no id; its field says so."""
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


class RescheduleSerializer(StrictSerializer):
    start = fields.LocalOrInstantField()
    end = fields.LocalOrInstantField(required=False)
    provider = related(ProviderProfile, required=False)
    location = related(Location, required=False)
    overbook_reason = fields.TextField(required=False, default="", max_length=500)


class CancelSerializer(StrictSerializer):
    cancellation_reason = related(CancellationReason, required=False, allow_null=True, default=None)
    note = fields.TextField(required=False, default="", allow_blank=True, max_length=500)


class ReasonSerializer(StrictSerializer):
    reason = fields.TextField(required=False, default="", allow_blank=True, max_length=500)


class PlaceSerializer(StrictSerializer):
    """Where a dry run would have put the visit."""

    start = fields.InstantField()
    end = fields.InstantField()
    provider = fields.UUIDField()
    location = fields.UUIDField()
    time_zone = fields.TextField()


class StatusEventSerializer(StrictModelSerializer[StatusEvent]):
    class Meta:
        model = StatusEvent
        fields = ("id", "action", "from_status", "to_status", "from_start", "to_start", "reason", "by", "at")
        read_only_fields = fields
