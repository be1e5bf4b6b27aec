"""The days of a series: the part of RFC 5545's recurrence rules that a practice books by.

`FREQ=DAILY`, `WEEKLY` (with `BYDAY=MO,WE`) or `MONTHLY` (with `BYMONTHDAY=15,-1`, with `BYDAY=2TU,-1FR`, or with plain
weekdays and `BYSETPOS`), `INTERVAL`, and always an end: `COUNT` or `UNTIL`, a date. Weeks begin on Monday. Which days
those are, dateutil says; what is here refuses everything else that it would read as something.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import islice, takewhile
from typing import Any, Literal

from dateutil import rrule

MOST = 200
"""Visits of a series."""
LONGEST = timedelta(days=5 * 366)
"""From its first day to its last."""
_FREQUENCIES: dict[str, Literal[1, 2, 3]] = {"DAILY": rrule.DAILY, "WEEKLY": rrule.WEEKLY, "MONTHLY": rrule.MONTHLY}
_WEEKDAYS = {name: getattr(rrule, name) for name in ("MO", "TU", "WE", "TH", "FR", "SA", "SU")}
_BY: dict[str, set[str]] = {"DAILY": set(), "WEEKLY": {"BYDAY"}, "MONTHLY": {"BYDAY", "BYMONTHDAY", "BYSETPOS"}}
_DAY = re.compile(r"([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,3}", re.ASCII)
_DATE = re.compile(r"[0-9]{8}", re.ASCII)


class RecurrenceError(ValueError):
    """A rule that is none of those above; the text says which part and why."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A rule that was read. `str()` writes it in one order, whatever order it came in."""

    frequency: str
    interval: int = 1
    by_day: tuple[str, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_position: tuple[int, ...] = ()
    count: int | None = None
    until: date | None = None

    @classmethod
    def parse(cls, text: str) -> "Recurrence":
        """Raises RecurrenceError."""
        parts = _parts(text)
        frequency = parts.pop("FREQ", "")
        if frequency not in _FREQUENCIES:
            raise RecurrenceError("FREQ has to be DAILY, WEEKLY or MONTHLY.")
        known = {"INTERVAL", "COUNT", "UNTIL"} | _BY[frequency]
        if unknown := sorted(set(parts) - known):
            raise RecurrenceError(f"{unknown[0]} is not supported with FREQ={frequency}.")
        if ("COUNT" in parts) == ("UNTIL" in parts):
            raise RecurrenceError("Give COUNT or UNTIL, and not both.")
        read = {name: _READ[name](name, value) for name, value in parts.items()}
        rule = cls(
            frequency,
            read.get("INTERVAL", 1),
            read.get("BYDAY", ()),
            read.get("BYMONTHDAY", ()),
            read.get("BYSETPOS", ()),
            read.get("COUNT"),
            read.get("UNTIL"),
        )
        rule._check_days()
        return rule

    def __str__(self) -> str:
        values = {
            "FREQ": self.frequency,
            "INTERVAL": "" if self.interval == 1 else str(self.interval),
            "BYDAY": ",".join(self.by_day),
            "BYMONTHDAY": ",".join(map(str, self.by_month_day)),
            "BYSETPOS": ",".join(map(str, self.by_position)),
            "COUNT": "" if self.count is None else str(self.count),
            "UNTIL": f"{self.until:%Y%m%d}" if self.until else "",
        }
        return ";".join(f"{name}={value}" for name, value in values.items() if value)

    def dates(self, first: date) -> list[date]:
        """The days from `first`, which has to be one of them. Raises RecurrenceError about too many or too far."""
        days = list(islice(self._days(first), MOST + 1))
        if not days or days[0] != first:
            raise RecurrenceError("The first visit has to be on a day of the rule.")
        if len(days) > MOST:
            raise RecurrenceError(f"A series has {MOST} visits at most.")
        last = self.until or (days[-1] if len(days) == self.count else date.max)
        if last > first + LONGEST:
            raise RecurrenceError("A series ends within five years.")
        return days

    def ending_before(self, day: date) -> "Recurrence":
        return replace(self, count=None, until=day - timedelta(days=1))

    def from_visit(self, index: int, days: Sequence[date], shift: int) -> "Recurrence":
        """The rule of `days[index - 1:]`, all moved by `shift` days. Raises RecurrenceError when no rule says that."""
        weekdays = list(_WEEKDAYS)
        rule = replace(
            self,
            by_day=tuple(weekdays[(weekdays.index(day) + shift) % 7] for day in self.by_day)
            if self.frequency == "WEEKLY"
            else self.by_day,
            count=None if self.count is None else self.count - index + 1,
            until=None if self.until is None else self.until + timedelta(days=shift),
        )
        moved = [day + timedelta(days=shift) for day in days[index - 1 :]]
        if rule.dates(moved[0]) != moved:
            raise RecurrenceError("These days can't all move by as many days; book a new series instead.")
        return rule

    def _days(self, first: date) -> Iterator[date]:
        weekdays = [_weekday(day) for day in self.by_day]
        rule = rrule.rrule(
            _FREQUENCIES[self.frequency],
            dtstart=datetime.combine(first, time()),
            interval=self.interval,
            count=self.count,
            until=datetime.combine(self.until, time()) if self.until else None,
            byweekday=weekdays or None,
            bymonthday=self.by_month_day or None,
            bysetpos=self.by_position or None,
            wkst=rrule.MO,
        )
        return takewhile(lambda day: day <= first + LONGEST, (at.date() for at in rule))

    def _check_days(self) -> None:
        numbered = any(day[:-2] for day in self.by_day)
        if self.frequency == "WEEKLY" and numbered:
            raise RecurrenceError("BYDAY has no numbers with FREQ=WEEKLY.")
        if self.by_day and self.by_month_day:
            raise RecurrenceError("Give BYDAY or BYMONTHDAY, and not both.")
        if self.by_position and (numbered or not self.by_day):
            raise RecurrenceError("BYSETPOS goes with a BYDAY of plain weekdays.")
        if self.frequency == "MONTHLY" and self.by_day and not numbered and not self.by_position:
            raise RecurrenceError("Say which of the month: BYDAY=2TU, or BYSETPOS.")


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.removeprefix("RRULE:").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise RecurrenceError("Write it as FREQ=WEEKLY;BYDAY=MO;COUNT=10.")
        if name in parts:
            raise RecurrenceError(f"{name} is there twice.")
        parts[name] = value
    return parts


def _weekday(day: str) -> Any:
    weekday = _WEEKDAYS[day[-2:]]
    return weekday(int(day[:-2])) if day[:-2] else weekday


def _number(name: str, value: str, lowest: int, highest: int) -> int:
    number = int(value) if _NUMBER.fullmatch(value) else 0
    if number == 0 or not lowest <= number <= highest:
        raise RecurrenceError(f"{name} can't be {value[:20]}.")
    return number


def _several(name: str, value: str, lowest: int, highest: int) -> tuple[int, ...]:
    numbers = [_number(name, each, lowest, highest) for each in value.split(",")]
    if len(set(numbers)) != len(numbers):
        raise RecurrenceError(f"{name} names a day twice.")
    return tuple(numbers)


def _weekdays(name: str, value: str) -> tuple[str, ...]:
    days = [day.removeprefix("+") for day in value.split(",")]
    if not all(_DAY.fullmatch(day) for day in days) or len(set(days)) != len(days):
        raise RecurrenceError(f"{name} takes weekdays such as MO,WE or 2TU, each once.")
    return tuple(days)


def _until(name: str, value: str) -> date:
    try:
        if _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise RecurrenceError(f"{name} is a date such as 20271231, which is included.")


_READ: Mapping[str, Callable[[str, str], Any]] = {
    "INTERVAL": lambda name, value: _number(name, value, 1, 52),
    "COUNT": lambda name, value: _number(name, value, 1, MOST),
    "UNTIL": _until,
    "BYDAY": _weekdays,
    "BYMONTHDAY": lambda name, value: _several(name, value, -31, 31),
    "BYSETPOS": lambda name, value: _several(name, value, -31, 31),
}
