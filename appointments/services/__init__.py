from appointments.services.booking import Booking, book
from appointments.services.requests import book_for, move, preview
from appointments.services.rescheduling import Move, reschedule
from appointments.services.status import cancel, change_status

__all__ = ["Booking", "Move", "book", "book_for", "cancel", "change_status", "move", "preview", "reschedule"]
