from appointments.services.booking import Booking, book
from appointments.services.rescheduling import Move, reschedule
from appointments.services.status import cancel, change_status

__all__ = ["Booking", "Move", "book", "cancel", "change_status", "reschedule"]
