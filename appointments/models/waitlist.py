from datetime import datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.models import ProviderProfile
from appointments.models.appointment import Appointment
from appointments.models.visit_type import AppointmentType
from appointments.querysets import WaitlistManager
from patients.models import Patient
from practices.fields import SamePracticeForeignKey
from practices.models import Location, TenantModel, VersionedModel


class WaitlistEntry(VersionedModel):
    """A patient who would take a time that becomes free. Its status is changed by `services.waitlist` only.

    Wanted are the days from `earliest_date` on, and in them the windows, if there are any, else all day. Priority 1
    comes first; among equals who has waited longest.
    """

    class Status(models.TextChoices):
        WAITING = "waiting"
        OFFERED = "offered"
        BOOKED = "booked"
        WITHDRAWN = "withdrawn"

    area = "appointments"

    patient = SamePracticeForeignKey(Patient, models.PROTECT, related_name="waitlist_entries")
    appointment_type = SamePracticeForeignKey(AppointmentType, models.PROTECT, related_name="waitlist_entries")
    provider = SamePracticeForeignKey(
        ProviderProfile, models.PROTECT, null=True, blank=True, related_name="waitlist_entries"
    )
    location = SamePracticeForeignKey(Location, models.PROTECT, null=True, blank=True, related_name="waitlist_entries")
    priority = models.PositiveSmallIntegerField(default=5, validators=[MinValueValidator(1), MaxValueValidator(9)])
    earliest_date = models.DateField()
    latest_date = models.DateField(null=True, blank=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.WAITING, editable=False)

    objects: ClassVar[WaitlistManager] = WaitlistManager()

    class Meta:
        verbose_name_plural = "waitlist entries"
        ordering = ["priority", "created_at", "id"]
        indexes = [
            models.Index(
                fields=["practice", "priority", "created_at"],
                condition=models.Q(status="waiting"),
                name="waitlist_by_priority",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["waiting", "offered", "booked", "withdrawn"]),
                name="waitlist_status_known",
            ),
            models.CheckConstraint(condition=models.Q(priority__range=(1, 9)), name="waitlist_priority_in_range"),
            models.CheckConstraint(
                condition=models.Q(latest_date__isnull=True) | models.Q(latest_date__gte=models.F("earliest_date")),
                name="waitlist_dates_ordered",
                violation_error_message="The latest date can't be before the earliest.",
            ),
        ]

    def __str__(self) -> str:
        return f"From {self.earliest_date}"

    def wants(self, start: datetime, end: datetime, zone: ZoneInfo) -> bool:
        """Whether a visit then, on the clock of that zone, is on a wanted day and inside one window."""
        local, local_end = start.astimezone(zone), end.astimezone(zone)
        if local.date() < self.earliest_date or (self.latest_date and local.date() > self.latest_date):
            return False
        windows = list(self.windows.all())
        return not windows or any(window.holds(local, local_end) for window in windows)


class WaitlistWindow(TenantModel):
    """Hours of a weekday (Monday is 0), or of any day, in which the patient could come: the whole visit lies inside."""

    area = "appointments"

    entry = SamePracticeForeignKey(WaitlistEntry, models.CASCADE, related_name="windows")
    weekday = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MaxValueValidator(6)])
    start_time = models.TimeField()
    end_time = models.TimeField()

    class Meta:
        ordering = ["weekday", "start_time", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(weekday__isnull=True) | models.Q(weekday__lte=6),
                name="waitlist_window_weekday_known",
            ),
            models.CheckConstraint(
                condition=models.Q(end_time__gt=models.F("start_time")),
                name="waitlist_window_ordered",
                violation_error_message="A window ends after it begins, on the same day.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.start_time:%H:%M}-{self.end_time:%H:%M}"

    def holds(self, start: datetime, end: datetime) -> bool:
        same_day = start.date() == end.date() and self.weekday in (None, start.weekday())
        return same_day and self.start_time <= start.time() and end.time() <= self.end_time


class WaitlistOffer(TenantModel):
    """A time that was held for an entry. The database allows one open offer an entry, and one entry a held time."""

    class Outcome(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        ENDED = "ended"

    area = "appointments"

    entry = SamePracticeForeignKey(WaitlistEntry, models.CASCADE, related_name="offers", db_index=False)
    appointment = SamePracticeForeignKey(Appointment, models.PROTECT, related_name="waitlist_offers", db_index=False)
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.OPEN)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["practice", "entry"], name="waitlist_offer_by_entry")]
        constraints = [
            models.UniqueConstraint(fields=["practice", "appointment"], name="waitlist_offer_of_one_entry"),
            models.UniqueConstraint(
                fields=["practice", "entry"], condition=models.Q(outcome="open"), name="one_open_waitlist_offer"
            ),
            models.CheckConstraint(
                condition=models.Q(outcome__in=["open", "accepted", "ended"]), name="waitlist_offer_outcome_known"
            ),
        ]

    def __str__(self) -> str:
        return self.get_outcome_display()
