"""Other times, for somebody whose wish could not be granted."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from appointments.calendars import Search, search
from appointments.free_time_rows import as_json
from appointments.local_time import DAY, floor_seconds
from appointments.models import AppointmentType

LIMIT = 5
BEFORE, AFTER = 3 * DAY, 14 * DAY


def suggestions(
    *, appointment_type: AppointmentType, start: datetime, provider: UUID | None = None, location: UUID | None = None
) -> list[dict[str, Any]]:
    """Up to five free times, the nearest to `start` first: as `as_json` writes them.

    From three days before to two weeks after. One statement mostly; call it when the refused booking's locks are gone,
    which is after its savepoint was rolled back.
    """
    wanted = floor_seconds(start)
    asked = Search(appointment_type, wanted - BEFORE, wanted + AFTER, provider, location)
    found = sorted(search(asked, now=timezone.now()), key=lambda free: abs(free[0] - wanted))
    return [as_json(free, asked.visit) for free in found[:LIMIT]]
