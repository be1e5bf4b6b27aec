"""What a move does to a series' rule: the visits from the first that moves on may need a series of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import F

from accounts.models import ProviderProfile
from appointments.models import Appointment, AppointmentSeries
from appointments.problems import refuse
from appointments.recurrence import Recurrence, RecurrenceError
from appointments.services.series.planning import Clock, days_of_rule
from practices.models import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesMove:
    """`start` is the new one of the named visit; the others move by as many days, to the same time of the wall clock.

    What is None stays.
    """

    start: datetime | None = None
    provider: ProviderProfile | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """Where the visits go, and the rule that says so."""

    rule: Recurrence
    start_date: date
    before: int
    """How many days of the old rule stay behind, with the visits that don't move."""
    days: int
    walls: list[tuple[int, datetime]]
    """Of each visit that moves, its index in the old rule and its new start on the wall clock."""
    clock: Clock
    provider: ProviderProfile
    location: Location


def shift_of(series: AppointmentSeries, targets: Sequence[Appointment], anchor: Appointment, move: SeriesMove) -> Shift:
    """Raises a 400 on /start when no rule describes the days afterwards."""
    provider, location = move.provider or series.provider, move.location or series.location
    days = days_of_rule(series.recurrence, series.start_date)
    clock = Clock.of(move.start, location) if move.start else Clock.of_series(series, location)
    wall = clock.shown(move.start) if move.start else datetime.combine(_day(days, anchor), series.start_time)
    by_days = (wall.date() - _day(days, anchor)).days
    walls = [
        (target.series_index or 0, datetime.combine(_day(days, target) + timedelta(days=by_days), wall.time()))
        for target in targets
    ]
    before = _index(targets[0]) - 1
    if not Appointment.objects.filter(series=series, series_index__lte=before).exists():
        before = 0
    try:
        rule = series.recurrence.from_visit(before + 1, days, by_days)
    except RecurrenceError as exc:
        raise refuse("start", "invalid", str(exc)) from exc
    return Shift(rule, days[before] + timedelta(days=by_days), before, by_days, walls, clock, provider, location)


def split(series: AppointmentSeries, shift: Shift) -> AppointmentSeries:
    """The series of the visits that move: this one if no visit stays behind, else a new one, and this one ends."""
    cut = shift.start_date - timedelta(days=shift.days)
    later = [day + timedelta(days=shift.days) for day in series.exdates if day >= cut]
    renewed = series
    if shift.before:
        renewed = AppointmentSeries(
            patient=series.patient, appointment_type=series.appointment_type, duration=series.duration
        )
        series.rrule = str(series.recurrence.ending_before(cut))
        series.exdates = [day for day in series.exdates if day < cut]
        series.save()
    renewed.rrule, renewed.exdates = str(shift.rule), later
    renewed.start_date, renewed.start_time = shift.start_date, shift.walls[0][1].time()
    renewed.time_zone, renewed.utc_offset = shift.clock.zone, shift.clock.offset_minutes
    renewed.provider, renewed.location = shift.provider, shift.location
    renewed.save()
    if shift.before:
        rows = Appointment.objects.filter(series=series, series_index__gt=shift.before)
        rows.update(series=renewed, series_index=F("series_index") - shift.before)
    return renewed


def _index(visit: Appointment) -> int:
    if visit.series_index is None:
        raise ValueError("A visit of a series has a place in it.")
    return visit.series_index


def _day(days: Sequence[date], visit: Appointment) -> date:
    """On which the rule has it."""
    return days[_index(visit) - 1]
