"""What happened to a visit, sent inside the transaction that did it. sender=Appointment, appointment=the row."""

from django.dispatch import Signal

appointment_booked = Signal()
"""A visit was booked (a hold counts when it is confirmed)."""

appointment_rescheduled = Signal()
"""A visit was moved; from_start: datetime | None."""

appointment_cancelled = Signal()
"""A visit was cancelled; expired: bool, True when it was a hold that ran out."""

time_freed = Signal()
"""A visit occupies its time no longer: it ended without taking place, or moved away (then it still blocks, elsewhere).
start, end: datetime without buffers, provider_id, location_id: what it gave back.
"""

time_offered = Signal()
"""A time is held for somebody on the waitlist; appointment is the hold."""
