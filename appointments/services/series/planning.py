"""Where the visits of a series would go, and for each day everything that speaks against it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import models
from django.utils import timezone

from accounts.models import ProviderProfile
from accounts.roles import Area
from appointments.local_time import AmbiguousLocalTime, LocalTimeError, resolve
from appointments.models import AppointmentSeries, AppointmentType
from appointments.problems import Occupied, SlotUnavailable, refuse
from appointments.recurrence import Recurrence, RecurrenceError
from appointments.services import rules
from appointments.services.allocation import Finding, Period, Place, find_places, occupied_period
from appointments.services.demand import Demand
from appointments.services.seating import open_groups
from config.api.problem import ValidationProblem
from patients.models import Patient
from practices.models import Location, PracticePolicy, Resource
from practices.tenancy import Actor


class OnConflict(models.TextChoices):
    """What becomes of a series of which some visits can't be."""

    REFUSE = "refuse"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesBooking:
    """What is asked for. `start` is the first visit's: the location's wall clock, or an instant, whose UTC offset
    then also says which is meant where the clocks show the time twice. `end` defaults to the type's length.
    """

    patient: Patient
    appointment_type: AppointmentType
    provider: ProviderProfile
    location: Location
    start: datetime
    rrule: Recurrence
    end: datetime | None = None
    exdates: Sequence[date] = ()
    resources: Sequence[Resource] = ()
    notes: str = ""


@dataclass(slots=True)
class Occurrence:
    """One visit of a series, as planned. `start` and `end` are None when the clocks don't tell."""

    index: int
    date: date
    start: datetime | None = None
    end: datetime | None = None
    problems: list[ValidationProblem] = field(default_factory=list)
    finding: Finding | None = None

    @property
    def conflicts(self) -> list[Occupied]:
        return self.finding.conflicts if self.finding else []

    @property
    def available(self) -> bool:
        return not self.problems and self.finding is not None and self.finding.place is not None

    def as_json(self) -> dict[str, Any]:
        reasons = [error for problem in self.problems for error in problem.errors]
        return {
            "index": self.index,
            "date": self.date,
            "start": self.start,
            "end": self.end,
            "available": self.available,
            "problems": [{"code": error.code, "detail": error.detail} for error in reasons],
            "conflicts": [conflict.as_json() for conflict in self.conflicts],
        }


@dataclass(frozen=True, slots=True)
class Clock:
    """The wall clock that a series goes by, and which of two instants it means."""

    zone: str
    offset: timedelta | None = None

    @classmethod
    def of(cls, start: datetime, location: Location) -> "Clock":
        zone = rules.zone_at(location)
        return cls(zone, start.astimezone(ZoneInfo(zone)).utcoffset() if start.tzinfo else None)

    @classmethod
    def of_series(cls, series: AppointmentSeries, location: Location) -> "Clock":
        offset = None if series.utc_offset is None else timedelta(minutes=series.utc_offset)
        return cls(rules.zone_at(location), offset)

    @property
    def offset_minutes(self) -> int | None:
        return None if self.offset is None else self.offset // timedelta(minutes=1)

    def shown(self, at: datetime) -> datetime:
        """What it shows at an instant; a wall time as it is."""
        return at.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None, fold=0) if at.tzinfo else at

    def instant(self, wall: datetime) -> datetime:
        """Raises LocalTimeError."""
        try:
            return resolve(wall, ZoneInfo(self.zone))
        except AmbiguousLocalTime:
            if self.offset is None:
                raise
            return resolve(wall, ZoneInfo(self.zone), self.offset)


def days_of_rule(recurrence: Recurrence, first: date) -> list[date]:
    """Raises a 400 on /rrule."""
    try:
        return recurrence.dates(first)
    except RecurrenceError as exc:
        raise refuse("rrule", "invalid", str(exc)) from exc


def lay_out(walls: Sequence[tuple[int, datetime]], length: timedelta, clock: Clock) -> list[Occurrence]:
    """An occurrence for each index and wall time."""
    laid = [Occurrence(index, wall.date()) for index, wall in walls]
    for occurrence, (_, wall) in zip(laid, walls, strict=True):
        try:
            occurrence.start = clock.instant(wall)
            occurrence.end = occurrence.start + length
        except LocalTimeError as exc:
            occurrence.problems.append(refuse("start", exc.code, str(exc)))
    return laid


def examine(
    occurrences: Sequence[Occurrence],
    visit_type: AppointmentType,
    provider: ProviderProfile,
    location: Location,
    patient: Patient,
    clock: Clock,
    demand: Demand,
    *,
    by: Actor,
    but: Collection[UUID] = (),
) -> None:
    """Notes in each what speaks against it, by the rules and in the calendar: five statements for any number.

    Allocations of the appointments `but` don't count. Raises a 400 when the visits overlap each other.
    """
    timed = [each for each in occurrences if each.start is not None]
    if not timed:
        return
    _check_times(timed, provider, location, clock, by)
    periods = _periods(timed, visit_type)
    for occurrence, finding in zip(timed, find_places(demand, periods, but=but), strict=True):
        occurrence.finding = finding
    if visit_type.max_attendees > 1:
        groups = open_groups(visit_type, provider, location, [_times(each) for each in timed], patient)
        for occurrence, period in zip(timed, periods, strict=True):
            if group := groups.get(_times(occurrence)):
                occurrence.finding = Finding(Place([], *period, group), [], [])


def settle(occurrences: Sequence[Occurrence], on_conflict: str) -> list[Occurrence]:
    """Those that can be. Raises SlotUnavailable about each that can't, unless it may be skipped and some are left."""
    possible = [each for each in occurrences if each.available]
    if len(possible) < len(occurrences) and (on_conflict != OnConflict.SKIP or not possible):
        refused = [each for each in occurrences if not each.available]
        refusal = SlotUnavailable([conflict for each in refused for conflict in each.conflicts])
        refusal.members["occurrences"] = [each.as_json() for each in refused]
        raise refusal
    return possible


def _check_times(
    timed: Sequence[Occurrence], provider: ProviderProfile, location: Location, clock: Clock, by: Actor
) -> None:
    policy = PracticePolicy.objects.first() or PracticePolicy()
    past = rules.may(by, Area.OVERBOOK, own=rules.is_own(provider, by))
    now = timezone.now()
    closures = rules.closures_between(*_bounds(timed), location, clock.zone)
    for occurrence in timed:
        start, end = _times(occurrence)
        refusals = (
            rules.time_refusal(start, end, policy=policy, now=now, past=past),
            rules.closure_refusal(start, end, closures, clock.zone),
        )
        occurrence.problems += [refusal for refusal in refusals if refusal is not None]


def _periods(timed: Sequence[Occurrence], visit_type: AppointmentType) -> list[Period]:
    periods = [occupied_period(visit_type, *_times(each)) for each in timed]
    if any(one[1] > other[0] for one, other in pairwise(periods)):
        raise refuse("rrule", "overlap", "The visits of this series would overlap each other.")
    return periods


def _bounds(timed: Sequence[Occurrence]) -> Period:
    return _times(timed[0])[0], _times(timed[-1])[1]


def _times(occurrence: Occurrence) -> Period:
    if occurrence.start is None or occurrence.end is None:
        raise ValueError("An occurrence without a time has no period.")
    return occurrence.start, occurrence.end
