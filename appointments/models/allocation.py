from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.utils.timezone import localtime

from appointments.models.appointment import Appointment
from practices.fields import SamePracticeForeignKey
from practices.models import Resource, TenantModel


class Period(models.Func):
    """The half-open range of two instants."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class ResourceAllocation(TenantModel):
    """Time that an appointment occupies of a resource, buffers included. The database refuses an overlap in a lane."""

    area = "appointments"

    appointment = SamePracticeForeignKey(Appointment, models.CASCADE, related_name="allocations")
    resource = SamePracticeForeignKey(Resource, models.PROTECT, related_name="allocations", db_index=False)
    lane = models.PositiveSmallIntegerField(default=0)
    start = models.DateTimeField()
    end = models.DateTimeField()
    blocking = models.BooleanField(default=True)

    class Meta:
        ordering = ["start", "id"]
        indexes = [
            models.Index(
                fields=["practice", "resource", "end", "start"],
                condition=models.Q(blocking=True),
                name="allocation_by_resource",
            )
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(end__gt=models.F("start")), name="allocation_ordered"),
            models.UniqueConstraint(fields=["practice", "appointment", "resource"], name="one_allocation_per_resource"),
            ExclusionConstraint(
                name="no_double_booking",
                expressions=[
                    ("practice", RangeOperators.EQUAL),
                    ("resource", RangeOperators.EQUAL),
                    ("lane", RangeOperators.EQUAL),
                    (Period("start", "end", RangeBoundary()), RangeOperators.OVERLAPS),
                ],
                condition=models.Q(blocking=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{localtime(self.start):%Y-%m-%d %H:%M}"
