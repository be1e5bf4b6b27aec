"""Whether two sets of opening hours ever meet: pure arithmetic, without the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import lcm
from zoneinfo import ZoneInfo

from appointments.free_times import MIDNIGHT, DatedHours, WeeklyHours
from appointments.intervals import Interval, merge, subtract
from appointments.local_time import instants_in, offset_spans, wall_seconds

_YEAR = 53
"""Weeks after which the clocks of two zones have shown every difference they have."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours on the clock of a zone, and what is taken out of them on the same clock."""

    opened: WeeklyHours | DatedHours
    zone: ZoneInfo
    but: Sequence[DatedHours] = ()

    @property
    def days(self) -> tuple[int, int | None]:
        """Ordinals of the first and last day on which they may begin."""
        if isinstance(self.opened, WeeklyHours):
            last = self.opened.valid_to
            return self.opened.valid_from.toordinal(), None if last is None else last.toordinal()
        return self.opened.first.toordinal(), self.opened.last.toordinal()

    @property
    def weeks(self) -> int:
        """After how many weeks they begin anew."""
        return self.opened.every_n_weeks if isinstance(self.opened, WeeklyHours) else 1

    def walls(self, first: int, last: int) -> list[Interval]:
        """Wall times of the hours that begin on these days."""
        closed = merge(window for hours in self.but for window in hours.windows(first - 1, last + 1))
        return subtract(merge(self.opened.windows(first, last)), closed)


def meet(one: Hours, other: Hours) -> bool:
    """Whether there is an instant that lies in both. Exact: what repeats is looked at until it has repeated."""
    first = max(one.days[0], other.days[0]) - 2
    ends = [days[1] + 2 for days in (one.days, other.days) if days[1] is not None]
    last = min([*ends, first + 7 * (max(lcm(one.weeks, other.weeks), _YEAR) + 2), date.max.toordinal() - 2])
    if first > last:
        return False
    if one.zone.key == other.zone.key:
        return _overlap(one.walls(first, last), other.walls(first, last))
    return _overlap(_instants(one, first, last), _instants(other, first, last))


def _instants(hours: Hours, first: int, last: int) -> list[Interval]:
    spans = offset_spans(hours.zone, wall_seconds(first - 1, MIDNIGHT), wall_seconds(last + 3, MIDNIGHT))
    return merge(instants_in(hours.walls(first, last), spans))


def _overlap(one: Sequence[Interval], other: Sequence[Interval]) -> bool:
    return subtract(one, other) != list(one)
