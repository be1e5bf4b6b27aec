from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.timezone import localtime

from accounts.models import ProviderProfile
from appointments.models.visit_type import AppointmentType
from appointments.querysets import GroupVisitManager
from practices.fields import SamePracticeForeignKey
from practices.models import Location, TenantModel


class GroupVisit(TenantModel):
    """A time that several patients share, each with a visit of their own. The database refuses one more than `seats`.

    What it occupies is allocated once, to one of the visits; `taken` counts those that have a seat.
    """

    area = "appointments"

    appointment_type = SamePracticeForeignKey(AppointmentType, models.PROTECT, related_name="group_visits")
    provider = SamePracticeForeignKey(ProviderProfile, models.PROTECT, related_name="group_visits", db_index=False)
    location = SamePracticeForeignKey(Location, models.PROTECT, related_name="group_visits")
    start = models.DateTimeField()
    end = models.DateTimeField()
    seats = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    taken = models.PositiveSmallIntegerField(default=0)

    objects: ClassVar[GroupVisitManager] = GroupVisitManager()

    class Meta:
        ordering = ["start", "id"]
        indexes = [models.Index(fields=["practice", "provider", "start"], name="group_visit_by_provider")]
        constraints = [
            models.CheckConstraint(condition=models.Q(end__gt=models.F("start")), name="group_visit_ordered"),
            models.CheckConstraint(condition=models.Q(taken__lte=models.F("seats")), name="group_visit_not_overfull"),
        ]

    def __str__(self) -> str:
        return f"{localtime(self.start):%Y-%m-%d %H:%M}, {self.taken} of {self.seats}"
