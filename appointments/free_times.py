"""When a visit could start: pure arithmetic on opening hours and taken time, without the database.

Instants are ints (see `local_time`). The rules in one place:

- Open is `weekly + extra - closed - shut`: a closing always wins over an opening, whichever was entered last.
- The visit itself has to lie in open time; its buffers need not, but must not touch taken time.
- A start is aligned when the wall clock shows a multiple of the step since midnight, before and after any
  change of the clocks. Lengths are real time.
- A visit stays in one lane, so a lane has to be free from the first buffer to the last.
- A seat in a group that has begun is where that group is, whatever is taken and whether aligned or not.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from operator import itemgetter
from uuid import UUID
from zoneinfo import ZoneInfo

from appointments.intervals import Interval, clip, crowded, merge, subtract
from appointments.local_time import (
    DAY,
    OffsetSpan,
    ceil_seconds,
    days_of,
    floor_seconds,
    instants_in,
    offset_spans,
    wall_seconds,
)

MIDNIGHT = time(0)


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """Open every `every_n_weeks` weeks on `weekday` (Monday is 0), from `opens` to `closes` on the wall clock.

    `closes` at or before `opens` is on the next day. Both valid dates are included, and count for the day on which
    the hours begin. Week 0 is the Monday-to-Sunday week of `valid_from`, so rules with one `valid_from` alternate
    together.
    """

    weekday: int
    opens: time
    closes: time
    valid_from: date
    valid_to: date | None = None
    every_n_weeks: int = 1

    def windows(self, first: int, last: int) -> Iterable[Interval]:
        """Wall-time windows beginning on the days `[first, last]` (ordinals)."""
        week_zero = self.valid_from.toordinal() - self.valid_from.weekday()
        if self.valid_to is not None:
            last = min(last, self.valid_to.toordinal())
        lowest, step = max(first, self.valid_from.toordinal()), 7 * self.every_n_weeks
        start = week_zero + self.weekday
        start += -((start - lowest) // step) * step if lowest > start else 0
        return (_window(day, self.opens, self.closes) for day in range(start, last + 1, step))


@dataclass(frozen=True, slots=True)
class DatedHours:
    """A stretch of days, both included: whole, or from `opens` to `closes` on each of them."""

    first: date
    last: date
    opens: time | None = None
    closes: time | None = None

    def windows(self, first: int, last: int) -> Iterable[Interval]:
        """Wall-time windows beginning on the days `[first, last]` (ordinals)."""
        first, last = max(first, self.first.toordinal()), min(last, self.last.toordinal())
        if first > last:
            return ()
        if self.opens is None and self.closes is None:
            return ((wall_seconds(first, MIDNIGHT), wall_seconds(last + 1, MIDNIGHT)),)
        return (_window(day, self.opens or MIDNIGHT, self.closes or MIDNIGHT) for day in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class Taken:
    """Time in one lane of a resource that something else occupies, buffers included."""

    lane: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """One provider's hours at one place, in one zone, and what is taken of the provider's time anywhere.

    `shut` are instants at which nobody is there, `lacking` starts for which something else that the visit needs is
    taken (see `lacking_starts`); both sorted and without overlaps. `seats` are the starts of groups with a free seat.
    """

    provider: UUID
    location: UUID | None
    zone: ZoneInfo
    weekly: Sequence[WeeklyHours] = ()
    extra: Sequence[DatedHours] = ()
    closed: Sequence[DatedHours] = ()
    shut: Sequence[Interval] = ()
    taken: Sequence[Taken] = ()
    capacity: int = 1
    lacking: Sequence[Interval] = ()
    seats: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Lanes:
    """What is taken of anything that a visit occupies beside the provider: a room, a device."""

    taken: Sequence[Taken] = ()
    capacity: int = 1


@dataclass(frozen=True, slots=True)
class Visit:
    """What is to be placed; all in seconds. A start has to be a multiple of `step` after local midnight."""

    duration: int
    step: int
    buffer_before: int = 0
    buffer_after: int = 0

    def __post_init__(self) -> None:
        if self.duration <= 0 or self.step <= 0 or self.buffer_before < 0 or self.buffer_after < 0:
            raise ValueError("A visit has a positive duration and step, and no negative buffer.")


FreeTime = tuple[int, Calendar]


def bookable(now: datetime, min_notice: timedelta, horizon: timedelta) -> Interval:
    """The instants at which a visit may start under a practice's policy, from the notice to the horizon included."""
    return ceil_seconds(now + min_notice), floor_seconds(now + horizon) + 1


def free_times(calendars: Iterable[Calendar], visit: Visit, start: int, end: int) -> list[FreeTime]:
    """Every start in `[start, end)` at which the visit fits, with its calendar; by start, then provider, location.

    The same provider, location and start is listed once, even when the hours come from two zones.
    """
    ordered = sorted(calendars, key=lambda calendar: (calendar.provider, calendar.location or UUID(int=0)))
    found: list[FreeTime] = []
    seen: set[int] = set()
    place: tuple[UUID, UUID | None] | None = None
    for calendar in ordered:
        starts = free_starts(calendar, visit, start, end)
        if place == (calendar.provider, calendar.location):
            starts = [at for at in starts if at not in seen]
            seen.update(starts)
        else:
            place, seen = (calendar.provider, calendar.location), set(starts)
        found.extend((at, calendar) for at in starts)
    found.sort(key=itemgetter(0))
    return found


def free_starts(calendar: Calendar, visit: Visit, start: int, end: int) -> list[int]:
    """The starts in `[start, end)`, in order: aligned where the visit fits, and where a group has a seat for it."""
    if start >= end:
        return []
    spans = offset_spans(calendar.zone, start, end + visit.duration)
    fitting = [(a, b - visit.duration + 1) for a, b in open_time(calendar, spans)]
    fitting = clip([(a, b) for a, b in fitting if a < b], start, end)
    if not fitting:
        return []
    free = _untaken(fitting, calendar, visit)
    starts = _aligned(subtract(free, calendar.lacking) if calendar.lacking else free, spans, visit.step)
    seats = [at for at in calendar.seats if any(a <= at < b for a, b in fitting)]
    return sorted({*starts, *seats}) if seats else starts


def fits(calendar: Calendar, visit: Visit, start: int) -> bool:
    """Whether the visit could start at this instant, alignment aside."""
    whole = (start, start + visit.duration)
    opened = open_time(calendar, offset_spans(calendar.zone, *whole))
    free = subtract(_untaken([(start, start + 1)], calendar, visit), calendar.lacking)
    return opened == [whole] and bool(free)


def lacking_starts(choices: Iterable[Iterable[Lanes]], visit: Visit, start: int, end: int) -> list[Interval]:
    """Those in `[start, end)` at which of some choice nothing is free for the visit with its buffers."""
    whole = [(start, end)] if start < end else []
    return merge(
        lacking
        for choice in choices
        for lacking in subtract(whole, merge(free for each in choice for free in _untaken(whole, each, visit)))
    )


def open_time(calendar: Calendar, spans: Sequence[OffsetSpan]) -> list[Interval]:
    """When the calendar is open during `spans`, whatever is taken."""
    first, last = days_of(spans)
    opening: list[WeeklyHours | DatedHours] = [*calendar.weekly, *calendar.extra]
    opened = (window for hours in opening for window in hours.windows(first, last))
    closed = (window for hours in calendar.closed for window in hours.windows(first, last))
    present = subtract(merge(instants_in(opened, spans)), merge(instants_in(closed, spans)))
    return subtract(present, calendar.shut)


def _window(day: int, opens: time, closes: time) -> Interval:
    return wall_seconds(day, opens), wall_seconds(day if closes > opens else day + 1, closes)


def _untaken(starts: Sequence[Interval], of: Calendar | Lanes, visit: Visit) -> list[Interval]:
    """Those of `starts` from which some lane stays free, buffers included."""
    lanes = _taken_by_lane(of)
    before, after = visit.buffer_before, visit.duration + visit.buffer_after
    blocked = ([(a - after + 1, b + before) for a, b in lane] for lane in lanes)
    free = [subtract(starts, merge(lane)) for lane in blocked]
    return free[0] if len(free) == 1 else merge(interval for lane in free for interval in lane)


def _taken_by_lane(of: Calendar | Lanes) -> list[list[Interval]]:
    """Per lane, when it can't be used: by its own visits, or because overbooked ones fill the capacity."""
    everything = [(taken.start, taken.end) for taken in of.taken if taken.start < taken.end]
    if of.capacity == 1:
        return [everything]
    full = crowded(everything, of.capacity)
    lanes = [list(full) for _ in range(of.capacity)]
    for taken in of.taken:
        if taken.lane < of.capacity and taken.start < taken.end:
            lanes[taken.lane].append((taken.start, taken.end))
    return lanes


def _aligned(starts: Iterable[Interval], spans: Sequence[OffsetSpan], step: int) -> list[int]:
    """The instants in `starts` whose wall time is a multiple of `step` after midnight."""
    found: list[int] = []
    for a, b in starts:
        for span_start, span_end, offset in spans:
            low, high = max(a, span_start) + offset, min(b, span_end) + offset
            for midnight in range(low - low % DAY, high, DAY):
                first = midnight + max(0, -((midnight - low) // step) * step)
                found.extend(range(first - offset, min(high, midnight + DAY) - offset, step))
    return found
