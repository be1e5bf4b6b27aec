from django.db import models

from practices.fields import SamePracticeForeignKey
from practices.models.base import VersionedModel
from practices.models.place import Location


class Closure(VersionedModel):
    """Local days (inclusive), or hours of each, on which a location or the whole practice is closed."""

    area = "practice_settings"

    name = models.CharField(max_length=200)
    location = SamePracticeForeignKey(Location, models.CASCADE, null=True, blank=True, related_name="closures")
    start_date = models.DateField()
    end_date = models.DateField()
    start_time = models.TimeField(null=True, blank=True)
    end_time = models.TimeField(null=True, blank=True)

    class Meta:
        ordering = ["start_date", "id"]
        indexes = [models.Index(fields=["practice", "end_date"], name="closure_by_end_date")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(end_date__gte=models.F("start_date")),
                name="closure_dates_ordered",
                violation_error_message="The last day can't be before the first.",
            ),
            models.CheckConstraint(
                condition=models.Q(start_time__isnull=True, end_time__isnull=True)
                | models.Q(start_time__isnull=False, end_time__isnull=False, end_time__gt=models.F("start_time")),
                name="closure_times_paired",
                violation_error_message="Give both times, the end after the start, or neither.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def overlapping(self) -> "models.QuerySet[Closure]":
        """Others of the same place that share a time with it. Closing everywhere leaves each location's own alone."""
        rows: models.QuerySet[Closure] = Closure.objects.exclude(pk=self.pk).filter(
            location=self.location, start_date__lte=self.end_date, end_date__gte=self.start_date
        )
        if self.start_time is None:
            return rows
        meets = models.Q(start_time__lt=self.end_time, end_time__gt=self.start_time)
        return rows.filter(models.Q(start_time=None) | meets)


class CancellationReason(VersionedModel):
    """Why a visit was cancelled, in the practice's own words, and on whose side the reason lay."""

    class By(models.TextChoices):
        PATIENT = "patient"
        PROVIDER = "provider"
        PRACTICE = "practice"

    area = "practice_settings"

    code = models.SlugField(max_length=60)
    name = models.CharField(max_length=200)
    by = models.CharField(max_length=10, choices=By.choices)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["code", "id"]
        constraints = [
            models.UniqueConstraint(fields=["practice", "code"], name="cancellation_reason_code_unique"),
            models.CheckConstraint(
                condition=models.Q(by__in=["patient", "provider", "practice"]), name="cancellation_reason_by_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name
