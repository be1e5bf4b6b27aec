from typing import Any

from django.conf import settings
from django.db import models
from django.utils.timezone import localtime

from appointments.models.appointment import Appointment
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel


class StatusEvent(TenantModel):
    """One thing that happened to an appointment. Written once: its history is what the practice goes by."""

    area = "appointments"

    appointment = SamePracticeForeignKey(Appointment, models.CASCADE, related_name="status_events", db_index=False)
    action = models.CharField(max_length=20)
    from_status = models.CharField(max_length=16, blank=True)
    to_status = models.CharField(max_length=16)
    from_start = models.DateTimeField(null=True, blank=True)
    to_start = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["practice", "appointment", "at"], name="status_event_by_appointment")]

    def __str__(self) -> str:
        return f"{self.action} at {localtime(self.at):%Y-%m-%d %H:%M}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An appointment's history is never edited.")
        super().save(*args, **kwargs)
