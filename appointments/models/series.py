from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.models import ProviderProfile
from appointments.models.visit_type import AppointmentType
from appointments.recurrence import Recurrence
from patients.models import Patient
from practices.fields import SamePracticeForeignKey
from practices.models import Location, TimeZoneField, VersionedModel


class AppointmentSeries(VersionedModel):
    """What a row of visits was booked by: a rule of days, at the same time of the wall clock on each.

    Every visit is a row of its own with its place in the rule, `Appointment.series_index`, counted from 1; days in
    `exdates` have none. It changes only through `appointments.services.series`.
    """

    area = "appointments"

    patient = SamePracticeForeignKey(Patient, models.PROTECT, related_name="appointment_series")
    appointment_type = SamePracticeForeignKey(AppointmentType, models.PROTECT, related_name="appointment_series")
    provider = SamePracticeForeignKey(ProviderProfile, models.PROTECT, related_name="appointment_series")
    location = SamePracticeForeignKey(Location, models.PROTECT, related_name="appointment_series")
    rrule = models.CharField(max_length=250)
    start_date = models.DateField()
    start_time = models.TimeField()
    duration = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(1440)], help_text="Minutes."
    )
    time_zone = TimeZoneField()
    utc_offset = models.SmallIntegerField(
        null=True, blank=True, help_text="Minutes ahead of UTC: which of the two, where the clocks show a time twice."
    )
    exdates = ArrayField(models.DateField(), default=list, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "appointment series"
        indexes = [models.Index(fields=["practice", "created_at", "id"], name="series_by_creation")]
        constraints = [
            models.CheckConstraint(condition=models.Q(duration__range=(1, 1440)), name="series_duration_in_range")
        ]

    def __str__(self) -> str:
        return f"{self.rrule} from {self.start_date} {self.start_time:%H:%M}"

    @property
    def recurrence(self) -> Recurrence:
        return Recurrence.parse(self.rrule)
