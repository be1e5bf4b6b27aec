"""Loads what decides about free times from the database: six statements, however many providers and days, and one
more each when the visit needs a room or a device, or may be shared.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Cast, Ceil, Extract, Floor

from appointments.free_times import Calendar, DatedHours, FreeTime, Taken, Visit, WeeklyHours, bookable, free_times
from appointments.intervals import Interval, merge
from appointments.local_time import DAY, days_of, floor_seconds, instants_in, offset_spans
from appointments.models import (
    Appointment,
    AppointmentType,
    AvailabilityException,
    AvailabilityRule,
    GroupVisit,
    ResourceAllocation,
)
from appointments.needs import Needs
from practices.models import Closure, Practice, PracticePolicy, Resource
from practices.tenancy import active_practice_id

_Row = Mapping[str, Any]
_DATES = ("start_date", "end_date", "start_time", "end_time")
_PLACE = (
    *("resource_id", "resource__capacity", "resource__provider_id", "resource__provider__time_zone"),
    *("location_id", "location__time_zone"),
)

AHEAD = (3, 14, 60)
"""Days within which the next free time is looked for, if need be one after the other."""
LONGEST = timedelta(days=1, minutes=2 * 32_767)
"""No allocation is longer: a visit of a day, with buffers that fill their columns."""
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


@dataclass(slots=True)
class _Hours:
    """What is gathered of one resource's hours at one location in one zone."""

    place: _Row
    zone: ZoneInfo
    weekly: list[WeeklyHours] = field(default_factory=list)
    extra: list[DatedHours] = field(default_factory=list)


def search(asked: Search, *, now: datetime) -> list[FreeTime]:
    """What is free and may be booked at `now` under the practice's policy, by start, provider and location.

    Nothing that is no longer in use (type, provider, resource, location) has free times.
    """
    policy = PracticePolicy.objects.first() or PracticePolicy()
    first, last = bookable(now, timedelta(minutes=policy.min_notice_minutes), timedelta(days=policy.horizon_days))
    clipped = replace(asked, start=max(asked.start, first), end=min(asked.end, last))
    if clipped.start >= clipped.end or not asked.appointment_type.active:
        return []
    return free_times(load(clipped, now=now), clipped.visit, clipped.start, clipped.end)


def next_free(asked: Search, limit: int, *, now: datetime) -> list[FreeTime]:
    """The first `limit` that `search` would find. Looks at a few days first, since mostly they are there."""
    for days in AHEAD:
        found = search(replace(asked, end=min(asked.end, asked.start + days * DAY)), now=now)
        if len(found) >= limit or asked.start + days * DAY >= asked.end:
            break
    return found[:limit]


def load(asked: Search, *, now: datetime) -> list[Calendar]:
    """The calendars of the providers in use at the locations in use, with what is taken; five statements."""
    default_zone = Practice.objects.values_list("time_zone", flat=True).get(pk=active_practice_id())
    exceptions = list(_exceptions(asked))
    gathered = _gather(_rules(asked), exceptions, default_zone)
    closed = _by_resource(row for row in exceptions if row["kind"] == AvailabilityException.Kind.CLOSED)
    shut = _shut(asked, gathered, default_zone)
    needs = Needs.of(asked.appointment_type, asked.resources, {hours.place["location_id"] for hours in gathered})
    gathered = [hours for hours in gathered if needs.can_be_met(**_where(hours))]
    taken = _taken(asked, needs.resources | {hours.place["resource_id"] for hours in gathered}, now)
    lacking = needs.lacking(taken, asked.visit, asked.start, asked.end)
    seats = _seats(asked, now) if asked.appointment_type.max_attendees > 1 else {}
    return [
        Calendar(
            provider=hours.place["resource__provider_id"],
            location=hours.place["location_id"],
            zone=hours.zone,
            weekly=hours.weekly,
            extra=hours.extra,
            closed=[_dated(row) for row in closed[hours.place["resource_id"]] if _concerns(row, hours.place)],
            shut=shut[hours.place["location_id"]],
            taken=taken[hours.place["resource_id"]],
            capacity=hours.place["resource__capacity"],
            lacking=lacking.get(hours.place["location_id"], ()),
            seats=seats.get((hours.place["resource__provider_id"], hours.place["location_id"]), ()),
        )
        for hours in gathered
    ]


def _where(hours: _Hours) -> dict[str, UUID]:
    return {"location": hours.place["location_id"], "calendar": hours.place["resource_id"]}


def _gather(rules: Iterable[_Row], exceptions: Iterable[_Row], default_zone: str) -> list[_Hours]:
    found: dict[tuple[UUID, UUID, str], _Hours] = {}

    def hours_at(place: _Row, zone: str) -> _Hours:
        key = (place["resource_id"], place["location_id"], zone)
        return found.setdefault(key, _Hours(place, ZoneInfo(zone)))

    for row in rules:
        hours_at(row, row["time_zone"] or _zone_of(row, default_zone)).weekly.append(_weekly(row))
    for row in exceptions:
        if row["kind"] == AvailabilityException.Kind.EXTRA:
            hours_at(row, _zone_of(row, default_zone)).extra.append(_dated(row))
    return list(found.values())


def _zone_of(place: _Row, default_zone: str) -> str:
    zone: str = place["location__time_zone"] or place["resource__provider__time_zone"] or default_zone
    return zone


def _rules(asked: Search) -> Iterable[_Row]:
    first, last = asked.dates
    rules = _in_use(AvailabilityRule.objects.all(), asked).filter(location__active=True, valid_from__lte=last)
    rules = rules.filter(Q(valid_to=None) | Q(valid_to__gte=first))
    if asked.location is not None:
        rules = rules.filter(location=asked.location)
    rows: Iterable[_Row] = rules.order_by("id").values(
        *_PLACE, *("time_zone", "weekday", "start_time", "end_time", "valid_from", "valid_to", "every_n_weeks")
    )
    return rows


def _exceptions(asked: Search) -> Iterable[_Row]:
    first, last = asked.dates
    exceptions = _in_use(AvailabilityException.objects.all(), asked).filter(start_date__lte=last, end_date__gte=first)
    here = Q(location__active=True) if asked.location is None else Q(location__active=True, location=asked.location)
    rows: Iterable[_Row] = exceptions.filter(Q(location=None) | here).order_by("id").values(*_PLACE, *_DATES, "kind")
    return rows


def _in_use(rows: "QuerySet[Any]", asked: Search) -> "QuerySet[Any]":
    rows = rows.filter(resource__kind=Resource.Kind.PROVIDER, resource__active=True, resource__provider__active=True)
    return rows if asked.provider is None else rows.filter(resource__provider=asked.provider)


def _shut(asked: Search, gathered: Sequence[_Hours], default_zone: str) -> dict[UUID, list[Interval]]:
    """Per location, the instants of the closures: days of its own wall clock, whatever zone a rule has."""
    first, last = asked.dates
    rows = list(Closure.objects.filter(start_date__lte=last, end_date__gte=first).values("location_id", *_DATES))
    places = {hours.place["location_id"]: hours.place["location__time_zone"] or default_zone for hours in gathered}
    shut: dict[UUID, list[Interval]] = {}
    for location, zone in places.items():
        spans = offset_spans(ZoneInfo(zone), asked.start, asked.end + asked.visit.duration)
        closures = [_dated(row) for row in rows if row["location_id"] in (None, location)]
        windows = (window for closure in closures for window in closure.windows(*days_of(spans)))
        shut[location] = merge(instants_in(windows, spans))
    return shut


def _taken(asked: Search, resources: set[UUID], now: datetime) -> dict[UUID, list[Taken]]:
    """What is allocated of these resources; a hold that has run out takes nothing, though nobody released it yet."""
    visit = asked.visit
    allocations = ResourceAllocation.objects.filter(
        resource__in=resources,
        blocking=True,
        start__lt=_instant(asked.end + visit.duration + visit.buffer_after),
        end__gt=_instant(asked.start - visit.buffer_before),
        end__lt=_instant(asked.end + visit.duration + visit.buffer_after) + LONGEST,  # else all the future is looked at
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


def _by_resource(rows: Iterable[_Row]) -> dict[UUID, list[_Row]]:
    found: dict[UUID, list[_Row]] = defaultdict(list)
    for row in rows:
        found[row["resource_id"]].append(row)
    return found


def _concerns(exception: _Row, place: _Row) -> bool:
    return exception["location_id"] in (None, place["location_id"])


def _weekly(row: _Row) -> WeeklyHours:
    return WeeklyHours(
        weekday=row["weekday"],
        opens=row["start_time"],
        closes=row["end_time"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        every_n_weeks=row["every_n_weeks"],
    )


def _dated(row: _Row) -> DatedHours:
    return DatedHours(*(row[name] for name in _DATES))


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
