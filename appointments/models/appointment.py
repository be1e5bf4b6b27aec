from datetime import datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db import models

from accounts.models import ProviderProfile
from appointments.models.group_visit import GroupVisit
from appointments.models.series import AppointmentSeries
from appointments.models.visit_type import AppointmentType
from appointments.querysets import AppointmentManager
from appointments.transitions import BLOCKING, Status, hold_expired, possible
from patients.models import Patient
from practices.encryption import EncryptedTextField
from practices.fields import SamePracticeForeignKey
from practices.models import CancellationReason, Location, TimeZoneField, VersionedModel


class Appointment(VersionedModel):
    """A visit. Its status changes only through `appointments.services`; `start` and `end` are half-open."""

    class Source(models.TextChoices):
        STAFF = "staff"
        ONLINE = "online"
        IMPORT = "import"

    class FlowStage(models.TextChoices):
        WAITING = "waiting"
        IN_ROOM = "in-room"
        WITH_PROVIDER = "with-provider"
        CHECKOUT = "checkout"

    area = "appointments"

    patient = SamePracticeForeignKey(Patient, models.PROTECT, related_name="appointments", db_index=False)
    appointment_type = SamePracticeForeignKey(AppointmentType, models.PROTECT, related_name="appointments")
    provider = SamePracticeForeignKey(ProviderProfile, models.PROTECT, related_name="appointments", db_index=False)
    location = SamePracticeForeignKey(Location, models.PROTECT, related_name="appointments", db_index=False)
    start = models.DateTimeField(null=True, blank=True)
    end = models.DateTimeField(null=True, blank=True)
    time_zone = TimeZoneField()
    status = models.CharField(max_length=16, choices=Status.choices)
    flow_stage = models.CharField(max_length=16, choices=FlowStage.choices, blank=True)
    cancellation_reason = SamePracticeForeignKey(
        CancellationReason, models.PROTECT, null=True, blank=True, related_name="appointments"
    )
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.STAFF)
    hold_expires_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    arrived_at = models.DateTimeField(null=True, blank=True)
    checked_in_at = models.DateTimeField(null=True, blank=True)
    fulfilled_at = models.DateTimeField(null=True, blank=True)
    late_cancel = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Cancelled later than the practice's policy asks."
    )
    left_unseen = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="The patient came, and left without being seen."
    )
    overbook_reason = models.CharField(max_length=500, blank=True)
    notes = EncryptedTextField(blank=True, default="")
    series = SamePracticeForeignKey(
        AppointmentSeries, models.PROTECT, null=True, blank=True, related_name="appointments", db_index=False
    )
    series_index = models.PositiveSmallIntegerField(null=True, blank=True)
    group = SamePracticeForeignKey(
        GroupVisit, models.PROTECT, null=True, blank=True, related_name="appointments", db_index=False
    )
    detached = models.BooleanField(default=False, db_default=False, help_text="Moved apart from its series.")

    objects: ClassVar[AppointmentManager] = AppointmentManager()

    class Meta:
        ordering = ["start", "id"]
        indexes = [
            models.Index(fields=["practice", "start", "id"], name="appointment_by_start"),
            models.Index(fields=["practice", "provider", "start"], name="appointment_by_provider"),
            models.Index(fields=["practice", "location", "start"], name="appointment_by_location"),
            models.Index(fields=["practice", "patient", "start"], name="appointment_by_patient"),
            models.Index(fields=["practice", "updated_at", "id"], name="appointment_by_update"),
            models.Index(
                fields=["practice", "hold_expires_at"],
                condition=models.Q(hold_expires_at__isnull=False),
                name="appointment_by_hold_expiry",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="appointment_status_known"),
            models.CheckConstraint(
                condition=models.Q(
                    status__in=["waitlist", "cancelled", "entered-in-error"], start__isnull=True, end__isnull=True
                )
                | models.Q(start__isnull=False, end__isnull=False, end__gt=models.F("start")),
                name="appointment_has_its_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="pending") | models.Q(hold_expires_at__isnull=False),
                name="appointment_hold_expires",
            ),
            models.UniqueConstraint(
                fields=["practice", "series", "series_index"],
                condition=models.Q(series__isnull=False),
                name="appointment_once_in_its_series",
            ),
            models.UniqueConstraint(
                fields=["practice", "group", "patient"],
                condition=models.Q(group__isnull=False),
                name="appointment_once_in_its_group",
            ),
            models.CheckConstraint(
                condition=models.Q(series__isnull=True, series_index__isnull=True, detached=False)
                | models.Q(series__isnull=False, series_index__isnull=False),
                name="appointment_series_paired",
            ),
        ]

    def __str__(self) -> str:
        """When it is, by the clock of where it takes place; no name."""
        return f"{self.start.astimezone(ZoneInfo(self.time_zone)):%Y-%m-%d %H:%M}" if self.start else "Without a time"

    @property
    def blocks(self) -> bool:
        return self.status in BLOCKING

    def hold_expired(self, now: datetime) -> bool:
        return hold_expired(self.status, self.hold_expires_at, now)

    def waited(self, now: datetime) -> timedelta | None:
        """From arriving to checking in, so far as that has come; None for who hasn't arrived."""
        if self.arrived_at is None:
            return None
        return (self.checked_in_at or self.fulfilled_at or now) - self.arrived_at

    def allowed_transitions(self, now: datetime) -> list[str]:
        """The actions that its status and the time allow; whether a role may is another question."""
        return possible(self.status, self.start, self.hold_expires_at, now)
