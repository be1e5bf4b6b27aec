"""Wall-clock times of an IANA zone and the instants they name.

Inside the booking rules an instant is an int, whole seconds since 1970-01-01T00:00Z, and a wall time is an int
too: the seconds since 1970-01-01T00:00 on that zone's clock. Where the zone's offset is constant the two differ
by that offset, so a stretch of time is cut into spans of constant offset and everything else is addition.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import ClassVar, NamedTuple
from zoneinfo import ZoneInfo

from appointments.intervals import Interval
from practices.models.practice import time_zones

DAY = 86_400
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_BLOCK = 128 * DAY
_PROBE = DAY // 4  # no zone has changed its offset twice within six hours


class LocalTimeError(ValueError):
    """A wall time that doesn't name exactly one instant."""

    code: ClassVar[str]


class NonexistentLocalTime(LocalTimeError):
    """The clocks skip this wall time."""

    code = "nonexistent_local_time"


class AmbiguousLocalTime(LocalTimeError):
    """The clocks show this wall time twice: an offset has to say which."""

    code = "ambiguous_local_time"


class UnknownTimeZone(ValueError):
    """Not the name of a zone in the IANA database."""


class OffsetSpan(NamedTuple):
    """The instants `[start, end)`, during which the zone is `offset` seconds ahead of UTC."""

    start: int
    end: int
    offset: int


def time_zone(name: str) -> ZoneInfo:
    """Raises UnknownTimeZone. Looks the name up in the list first: ZoneInfo itself takes names for file paths."""
    if name not in time_zones():
        raise UnknownTimeZone(name)
    return ZoneInfo(name)


def resolve(wall: datetime, zone: ZoneInfo, offset: timedelta | None = None) -> datetime:
    """The instant, in UTC, at which the zone's clocks show the naive `wall`.

    `offset` chooses when there are two, and must be one the zone really has then.
    Raises NonexistentLocalTime or AmbiguousLocalTime.
    """
    candidates = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    instants = sorted(at for at in candidates if at.astimezone(zone).replace(tzinfo=None) == wall.replace(fold=0))
    if not instants:
        raise NonexistentLocalTime(f"{wall:%Y-%m-%d %H:%M} does not exist in {zone.key}.")
    if offset is not None:
        instants = [at for at in instants if at.astimezone(zone).utcoffset() == offset]
        if not instants:
            raise NonexistentLocalTime(f"{wall:%Y-%m-%d %H:%M} does not exist at that offset in {zone.key}.")
    if len(instants) > 1:
        raise AmbiguousLocalTime(f"{wall:%Y-%m-%d %H:%M} happens twice in {zone.key}: give the UTC offset.")
    return instants[0]


def instant(value: datetime, zone: ZoneInfo) -> datetime:
    """`value` in UTC: as it is when it carries an offset, else as a wall time of `zone` (see `resolve`)."""
    return value.astimezone(UTC) if value.tzinfo else resolve(value, zone)


def floor_seconds(at: datetime) -> int:
    """The last whole second that is not after `at`."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


def ceil_seconds(at: datetime) -> int:
    """The first whole second that is not before `at`."""
    return -((datetime(1970, 1, 1, tzinfo=UTC) - at) // timedelta(seconds=1))


def wall_seconds(day: int, at: time) -> int:
    """The wall time `at` on the day with that ordinal (`date.toordinal`)."""
    return (day - _EPOCH_DAY) * DAY + at.hour * 3600 + at.minute * 60 + at.second


def days_of(spans: Sequence[OffsetSpan]) -> tuple[int, int]:
    """Ordinals of the first and last day whose hours may reach into the spans; those of a night begin a day early."""
    earliest = min(span.start + span.offset for span in spans)
    latest = max(span.end + span.offset for span in spans)
    return earliest // DAY + _EPOCH_DAY - 1, latest // DAY + _EPOCH_DAY


def offset_spans(zone: ZoneInfo, start: int, end: int) -> list[OffsetSpan]:
    """The spans of constant offset that make up `[start, end)`, in order."""
    spans: list[OffsetSpan] = []
    for block in range(start // _BLOCK, (end - 1) // _BLOCK + 1):
        for span_start, span_end, offset in _block_spans(zone, block):
            a, b = max(span_start, start), min(span_end, end)
            if spans and spans[-1].offset == offset:
                spans[-1] = OffsetSpan(spans[-1].start, b, offset)
            elif a < b:
                spans.append(OffsetSpan(a, b, offset))
    return spans


def instants_in(windows: Iterable[Interval], spans: Iterable[OffsetSpan]) -> list[Interval]:
    """The instants whose wall time lies in one of the windows of wall times.

    So an edge that falls into skipped time moves to the end of the gap, and a window inside the repeated hour
    is found in both passes.
    """
    spans = list(spans)
    return [
        (max(first - offset, start), min(last - offset, end))
        for first, last in windows
        for start, end, offset in spans
        if first - offset < end and last - offset > start
    ]


def _offset_at(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


@lru_cache(maxsize=1024)
def _block_spans(zone: ZoneInfo, block: int) -> tuple[OffsetSpan, ...]:
    """The spans of one fixed stretch of days. Cached, for finding them takes 512 conversions."""
    first, end = block * _BLOCK, (block + 1) * _BLOCK
    spans, since, offset = [], first, _offset_at(zone, first)
    for probe in range(first + _PROBE, end + 1, _PROBE):
        if _offset_at(zone, probe) != offset:
            changed = _first_change(zone, probe - _PROBE, probe)
            spans.append(OffsetSpan(since, changed, offset))
            since, offset = changed, _offset_at(zone, changed)
    if since < end:
        spans.append(OffsetSpan(since, end, offset))
    return tuple(spans)


def _first_change(zone: ZoneInfo, before: int, after: int) -> int:
    """The instant in `(before, after]` from which on the offset is no longer the one at `before`, by bisection."""
    offset = _offset_at(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset_at(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after
