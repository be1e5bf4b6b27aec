from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from practices.fields import SamePracticeForeignKey
from practices.models import Location, Resource, TimeZoneField, VersionedModel


class AvailabilityRule(VersionedModel):
    """Weekly hours of a resource at a location, on the wall clock. An end at or before the start is on the next day.

    Monday is 0. Without a time zone of its own it has the location's.
    """

    area = "availability"

    resource = SamePracticeForeignKey(Resource, models.CASCADE, related_name="availability_rules")
    location = SamePracticeForeignKey(Location, models.CASCADE, related_name="availability_rules")
    weekday = models.PositiveSmallIntegerField(validators=[MaxValueValidator(6)])
    start_time = models.TimeField()
    end_time = models.TimeField()
    time_zone = TimeZoneField(blank=True)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)
    every_n_weeks = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(52)]
    )

    class Meta:
        ordering = ["weekday", "start_time", "id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(weekday__lte=6), name="rule_weekday_known"),
            models.CheckConstraint(condition=models.Q(every_n_weeks__range=(1, 52)), name="rule_weeks_in_range"),
            models.CheckConstraint(
                condition=models.Q(valid_to__isnull=True) | models.Q(valid_to__gte=models.F("valid_from")),
                name="rule_validity_ordered",
                violation_error_message="The last day can't be before the first.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_name()} {self.start_time:%H:%M}-{self.end_time:%H:%M}"

    def get_weekday_name(self) -> str:
        return ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[self.weekday]


class AvailabilityException(VersionedModel):
    """Days (inclusive) on which a resource is away, or there when it usually isn't; or the same hours of each."""

    class Kind(models.TextChoices):
        CLOSED = "closed"
        EXTRA = "extra"

    area = "availability"

    resource = SamePracticeForeignKey(Resource, models.CASCADE, related_name="availability_exceptions")
    location = SamePracticeForeignKey(
        Location, models.CASCADE, null=True, blank=True, related_name="availability_exceptions"
    )
    kind = models.CharField(max_length=6, choices=Kind.choices)
    start_date = models.DateField()
    end_date = models.DateField()
    start_time = models.TimeField(null=True, blank=True)
    end_time = models.TimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["start_date", "id"]
        indexes = [models.Index(fields=["practice", "resource", "end_date"], name="exception_by_resource")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(end_date__gte=models.F("start_date")),
                name="exception_dates_ordered",
                violation_error_message="The last day can't be before the first.",
            ),
            models.CheckConstraint(
                condition=models.Q(start_time__isnull=True, end_time__isnull=True)
                | models.Q(start_time__isnull=False, end_time__isnull=False),
                name="exception_times_paired",
                violation_error_message="Give both times, or neither for whole days.",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="closed") | models.Q(kind="extra", location__isnull=False),
                name="exception_extra_has_location",
                violation_error_message="Extra hours are at a location: name it.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.start_date}"
