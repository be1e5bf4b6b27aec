from datetime import datetime
from typing import Any

from appointments.transitions import Status
from practices.querysets import TenantManager, TenantQuerySet


class AppointmentQuerySet(TenantQuerySet[Any]):
    def with_people(self) -> "AppointmentQuerySet":
        """With patient and provider, which every representation of an appointment names: no query per row."""
        return self.select_related("patient", "provider")

    def expired_holds(self, now: datetime) -> "AppointmentQuerySet":
        return self.filter(status=Status.PENDING, hold_expires_at__lte=now)


class AppointmentManager(TenantManager.from_queryset(AppointmentQuerySet)):  # type: ignore[misc]  # made at run time
    """Django's manager of the above."""
