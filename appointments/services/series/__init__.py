"""Visits that repeat: each is a row of its own, booked, moved and ended together or apart."""

from appointments.services.series.booking import book_series, preview_series
from appointments.services.series.changing import Scope, cancel_series, reschedule_series
from appointments.services.series.planning import Occurrence, OnConflict, SeriesBooking
from appointments.services.series.shifting import SeriesMove

__all__ = [
    "Occurrence",
    "OnConflict",
    "Scope",
    "SeriesBooking",
    "SeriesMove",
    "book_series",
    "cancel_series",
    "preview_series",
    "reschedule_series",
]
