"""Booking a series: every visit that is wanted, or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from appointments import signals
from appointments.models import Appointment, AppointmentSeries, ResourceAllocation, StatusEvent
from appointments.problems import refuse
from appointments.services import rules
from appointments.services.allocation import Place, allocations, claim
from appointments.services.demand import demand_of
from appointments.services.seating import take
from appointments.services.series.planning import (
    Clock,
    Occurrence,
    OnConflict,
    SeriesBooking,
    days_of_rule,
    examine,
    lay_out,
    settle,
)
from appointments.transitions import Status
from practices.tenancy import Actor


@dataclass(frozen=True, slots=True)
class _Plan:
    clock: Clock
    first: datetime
    """The first visit's start on the wall clock."""
    length: timedelta
    occurrences: list[Occurrence]


def preview_series(booking: SeriesBooking, *, by: Actor) -> tuple[str, list[Occurrence]]:
    """The time zone and every day of the series with all that speaks against it. Writes nothing.

    The number of statements doesn't depend on the number of days. Raises ValidationProblem for what is wrong with all.
    """
    plan = _plan(booking, by)
    return plan.clock.zone, plan.occurrences


@transaction.atomic
def book_series(booking: SeriesBooking, *, by: Actor, on_conflict: str = OnConflict.REFUSE) -> AppointmentSeries:
    """The new series with its visits. Raises SlotUnavailable about every day that can't be, with `occurrences`.

    With `skip` those days become `exdates`, unless that leaves none.
    """
    plan = _plan(booking, by)
    chosen = settle(plan.occurrences, on_conflict)
    places = claim([each.finding for each in chosen if each.finding])
    skipped = {each.date for each in plan.occurrences if not each.available}
    series: AppointmentSeries = AppointmentSeries.objects.create(
        patient=booking.patient,
        appointment_type=booking.appointment_type,
        provider=booking.provider,
        location=booking.location,
        rrule=str(booking.rrule),
        start_date=plan.first.date(),
        start_time=plan.first.time(),
        duration=plan.length // timedelta(minutes=1),
        time_zone=plan.clock.zone,
        utc_offset=plan.clock.offset_minutes,
        exdates=sorted(skipped | set(booking.exdates)),
    )
    _save_visits(series, booking, chosen, places, by)
    return series


def _plan(booking: SeriesBooking, by: Actor) -> _Plan:
    rules.check_patient(booking.patient)
    rules.check_parts(booking.appointment_type, booking.provider, booking.location)
    clock = Clock.of(booking.start, booking.location)
    first = clock.shown(booking.start)
    length = _length(booking, clock, first)
    days = enumerate(days_of_rule(booking.rrule, first.date()), start=1)
    walls = [(index, datetime.combine(day, first.time())) for index, day in days if day not in booking.exdates]
    if not walls:
        raise refuse("exdates", "invalid", "This leaves no visit.")
    occurrences = lay_out(walls, length, clock)
    calendar = rules.provider_resource(booking.provider)
    demand = demand_of(booking.appointment_type, calendar, booking.location, booking.resources)
    kind, provider, location = booking.appointment_type, booking.provider, booking.location
    examine(occurrences, kind, provider, location, booking.patient, clock, demand, by=by)
    return _Plan(clock, first, length, occurrences)


def _length(booking: SeriesBooking, clock: Clock, first: datetime) -> timedelta:
    """Whole minutes up to a day. Between two wall times it is what the clock shows."""
    if booking.end is None:
        return timedelta(minutes=booking.appointment_type.duration)
    both = booking.start.tzinfo is not None and booking.end.tzinfo is not None
    length = booking.end - booking.start if both else clock.shown(booking.end) - first
    if not timedelta() < length <= rules.MAX_LENGTH or length % timedelta(minutes=1):
        raise refuse("end", "invalid_length", "The end must be whole minutes after the start, a day at most.")
    return length


def _save_visits(
    series: AppointmentSeries,
    booking: SeriesBooking,
    chosen: Sequence[Occurrence],
    places: Sequence[Place],
    by: Actor,
) -> None:
    visits = [
        Appointment(
            patient=booking.patient,
            appointment_type=booking.appointment_type,
            provider=booking.provider,
            location=booking.location,
            start=each.start,
            end=each.end,
            time_zone=series.time_zone,
            status=Status.BOOKED,
            notes=booking.notes,
            series=series,
            series_index=each.index,
        )
        for each in chosen
    ]
    for visit, place in zip(visits, places, strict=True):
        take(visit, place)
    Appointment.objects.bulk_create(visits)
    occupy_each(visits, places)
    StatusEvent.objects.bulk_create(
        StatusEvent(appointment=visit, action="book", to_status=visit.status, to_start=visit.start, by_id=by.id)
        for visit in visits
    )
    for visit in visits:
        signals.appointment_booked.send(Appointment, appointment=visit)


def occupy_each(visits: Sequence[Appointment], places: Sequence[Place]) -> None:
    """Allocates each visit its place, in one statement."""
    ResourceAllocation.objects.bulk_create(
        each for visit, place in zip(visits, places, strict=True) for each in allocations(visit, place)
    )
