"""From what the database says to calendars: one statement, however many providers and days, two more when the visit
needs a room or a device, and one when it may be shared.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, Exists, F, OuterRef
from django.db.models.functions import Cast, Ceil, Extract, Floor

from appointments.calendar_rows import LONGEST, CalendarRows, read
from appointments.free_times import Calendar, DatedHours, FreeTime, Taken, Visit, WeeklyHours, bookable, free_times
from appointments.intervals import Interval, merge
from appointments.local_time import DAY, days_of, floor_seconds, instants_in, offset_spans
from appointments.models import Appointment, AppointmentType, GroupVisit, ResourceAllocation
from appointments.needs import Needs
from practices.models import PracticePolicy

AHEAD = (3, 14, 60)
"""Days within which the next free time is looked for, if need be one after the other."""
_SECONDS = (
    Cast(Floor(Extract("start", "epoch")), BigIntegerField()),
    Cast(Ceil(Extract("end", "epoch")), BigIntegerField()),
)


@dataclass(frozen=True, slots=True)
class Search:
    """Where and when to look: the visit starts in `[start, end)`, in whole seconds (see `local_time`)."""

    appointment_type: AppointmentType
    start: int
    end: int
    provider: UUID | None = None
    location: UUID | None = None
    resources: tuple[UUID, ...] = ()
    """Needed beside the provider and what the type requires."""

    @property
    def visit(self) -> Visit:
        kind = self.appointment_type
        return Visit(kind.duration * 60, kind.alignment * 60, kind.buffer_before * 60, kind.buffer_after * 60)

    @property
    def dates(self) -> tuple[date, date]:
        """Every date on which hours may begin that matter, in whatever zone."""
        first, end = _instant(self.start), _instant(self.end + self.visit.duration)
        return first.date() - timedelta(days=2), end.date() + timedelta(days=1)

    @property
    def occupied_between(self) -> tuple[datetime, datetime]:
        """The instants that the visit, buffers included, may meet."""
        visit = self.visit
        return _instant(self.start - visit.buffer_before), _instant(self.end + visit.duration + visit.buffer_after)


@dataclass(slots=True)
class _Hours:
    """What is gathered of one resource's hours at one location in one zone."""

    resource: str
    location: str
    zone: str
    house_zone: str
    weekly: list[WeeklyHours] = field(default_factory=list)
    extra: list[DatedHours] = field(default_factory=list)


def search(asked: Search, *, now: datetime) -> list[FreeTime]:
    """What is free and may be booked at `now` under the practice's policy, by start, provider and location.

    Nothing that is no longer in use (type, provider, resource, location) has free times.
    """
    if asked.start >= asked.end or not asked.appointment_type.active:
        return []
    rows = _read(asked, now)
    first, last = bookable(now, *_notice_and_horizon(rows))
    clipped = replace(asked, start=max(asked.start, first), end=min(asked.end, last))
    if clipped.start >= clipped.end:
        return []
    return free_times(_calendars(clipped, rows, now), clipped.visit, clipped.start, clipped.end)


def next_free(asked: Search, limit: int, *, now: datetime) -> list[FreeTime]:
    """The first `limit` that `search` would find. Looks at a few days first, since mostly they are there."""
    for days in AHEAD:
        found = search(replace(asked, end=min(asked.end, asked.start + days * DAY)), now=now)
        if len(found) >= limit or asked.start + days * DAY >= asked.end:
            break
    return found[:limit]


def load(asked: Search, *, now: datetime) -> list[Calendar]:
    """The calendars of the providers in use at the locations in use, with what is taken."""
    return _calendars(asked, _read(asked, now), now)


def _read(asked: Search, now: datetime) -> CalendarRows:
    return read(
        provider=asked.provider, location=asked.location, dates=asked.dates, taken=asked.occupied_between, now=now
    )


def _notice_and_horizon(rows: CalendarRows) -> tuple[timedelta, timedelta]:
    usual = PracticePolicy()
    notice, horizon = rows.policy or (usual.min_notice_minutes, usual.horizon_days)
    return timedelta(minutes=notice), timedelta(days=horizon)


def _calendars(asked: Search, rows: CalendarRows, now: datetime) -> list[Calendar]:
    gathered = _gather(rows)
    houses = {hours.location: hours.house_zone for hours in gathered}
    needs = Needs.of(asked.appointment_type, asked.resources, {UUID(house) for house in houses})
    gathered = [hours for hours in gathered if needs.can_be_met(UUID(hours.location), UUID(hours.resource))]
    lacking = needs.lacking(_taken(asked, needs.resources, now), asked.visit, asked.start, asked.end)
    seats = _seats(asked, now) if asked.appointment_type.max_attendees > 1 else {}
    shut = {house: _shut(asked, rows, house, zone) for house, zone in houses.items()}
    taken = {resource: [Taken(*each) for each in periods] for resource, periods in rows.taken.items()}
    closed = _closed(rows)
    found = []
    for hours in gathered:
        provider, capacity = rows.calendars[hours.resource]
        who, where = UUID(provider), UUID(hours.location)
        found.append(
            Calendar(
                provider=who,
                location=where,
                zone=ZoneInfo(hours.zone),
                weekly=hours.weekly,
                extra=hours.extra,
                closed=[*closed[hours.resource, None], *closed[hours.resource, hours.location]],
                shut=shut[hours.location],
                taken=taken.get(hours.resource, ()),
                capacity=capacity,
                lacking=lacking.get(where, ()),
                seats=seats.get((who, where), ()),
            )
        )
    return found


def _gather(rows: CalendarRows) -> list[_Hours]:
    found: dict[tuple[str, str, str], _Hours] = {}

    def hours_at(resource: str, location: str, zone: str, house_zone: str) -> _Hours:
        key = (resource, location, zone)
        return found.get(key) or found.setdefault(key, _Hours(*key, house_zone))

    for *place, weekday, opens, closes, since, until, weeks in rows.weekly:
        hours = WeeklyHours(weekday, _time(opens), _time(closes), _date(since), _date(until) if until else None, weeks)
        hours_at(*place).weekly.append(hours)
    for *place, first, last, opens, closes in rows.extra:
        hours_at(*place).extra.append(_dated(first, last, opens, closes))
    return list(found.values())


def _closed(rows: CalendarRows) -> Mapping[tuple[str, str | None], list[DatedHours]]:
    """By resource and location; None for wherever it is."""
    found: dict[tuple[str, str | None], list[DatedHours]] = defaultdict(list)
    for resource, location, *dated in rows.closed:
        found[resource, location].append(_dated(*dated))
    return found


def _shut(asked: Search, rows: CalendarRows, house: str, zone: str) -> list[Interval]:
    """The instants of the closures: days of the location's own wall clock, whatever zone a rule has."""
    closures = [_dated(*dated) for location, *dated in rows.closures if location in (None, house)]
    if not closures:
        return []
    spans = offset_spans(ZoneInfo(zone), asked.start, asked.end + asked.visit.duration)
    return merge(instants_in((window for each in closures for window in each.windows(*days_of(spans))), spans))


def _taken(asked: Search, resources: set[UUID], now: datetime) -> dict[UUID, list[Taken]]:
    """What is allocated of these resources beside the calendars; as there, holds that have run out take nothing."""
    if not resources:
        return {}
    since, until = asked.occupied_between
    allocations = ResourceAllocation.objects.filter(
        resource__in=resources,
        blocking=True,
        start__lt=until,
        end__gt=since,
        end__lt=until + LONGEST,  # else all the future is looked at
    )
    # A set to look into, not a join: without fresh statistics the planner may join row by row.
    held = allocations.exclude(appointment__in=Appointment.objects.expired_alone(now).values("pk"))
    taken: dict[UUID, list[Taken]] = defaultdict(list)
    for resource, lane, start, end in held.order_by().values_list("resource_id", "lane", *_SECONDS):
        taken[resource].append(Taken(lane, start, end))
    return taken


def _seats(asked: Search, now: datetime) -> dict[tuple[UUID, UUID], set[int]]:
    """Per provider and location, when groups begin that a visit of the usual length can join, having what is named."""
    kind, between = asked.appointment_type, (_instant(asked.start), _instant(asked.end))
    groups = GroupVisit.objects.with_seat(now).filter(
        appointment_type=kind, start__range=between, end=F("start") + timedelta(minutes=kind.duration)
    )
    for named in asked.resources:
        has = ResourceAllocation.objects.filter(appointment__group=OuterRef("pk"), resource=named, blocking=True)
        groups = groups.filter(Exists(has))
    if asked.provider is not None:
        groups = groups.filter(provider=asked.provider)
    found: dict[tuple[UUID, UUID], set[int]] = defaultdict(set)
    for provider, location, start in groups.order_by().values_list("provider_id", "location_id", "start"):
        if start.microsecond == 0:
            found[provider, location].add(floor_seconds(start))
    return found


def _dated(first: str, last: str, opens: str | None, closes: str | None) -> DatedHours:
    times = (None if each is None else _time(each) for each in (opens, closes))
    return DatedHours(_date(first), _date(last), *times)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


_date = lru_cache(date.fromisoformat)
_time = lru_cache(time.fromisoformat)
"""The same few come again and again."""
