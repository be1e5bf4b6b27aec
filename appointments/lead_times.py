"""When a reminder is due: arithmetic on one visit's start, without the database."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begin` to `end` on the wall clock of `zone`; over midnight when the end is not after the beginning."""

    begin: time
    end: time
    zone: ZoneInfo


def due_at(start: datetime, zone: ZoneInfo, *, days: int, minutes: int, quiet: QuietHours | None = None) -> datetime:
    """The instant that lies `days` of the calendar and `minutes` of real time before `start`.

    The same time of day in `zone` on the earlier day, whatever the clocks did in between; a time they skipped moves
    to the end of the gap. Out of quiet hours it goes to their end, or to their beginning when the end is too late.
    """
    due = (start - timedelta(minutes=minutes)) if days == 0 else _days_before(start, zone, days, minutes)
    return due if quiet is None else _outside(due, quiet, before=start)


def _days_before(start: datetime, zone: ZoneInfo, days: int, minutes: int) -> datetime:
    wall = start.astimezone(zone).replace(tzinfo=None, fold=0) - timedelta(days=days)
    return wall.replace(tzinfo=zone).astimezone(UTC) - timedelta(minutes=minutes)


def _outside(due: datetime, quiet: QuietHours, *, before: datetime) -> datetime:
    wall = due.astimezone(quiet.zone)
    at, today = wall.time(), wall.date()
    if quiet.begin < quiet.end:
        inside, began, ends = quiet.begin <= at < quiet.end, today, today
    else:
        inside = quiet.begin != quiet.end and (at >= quiet.begin or at < quiet.end)
        late = at >= quiet.begin
        began, ends = today - timedelta(days=not late), today + timedelta(days=late)
    if not inside:
        return due
    end = datetime.combine(ends, quiet.end, quiet.zone).astimezone(UTC)
    return end if end < before else datetime.combine(began, quiet.begin, quiet.zone).astimezone(UTC)
