"""One location's day at a glance: who works when, who comes, what is left. Five statements, however full the day."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from accounts.models import ProviderProfile
from appointments.calendars import Search, load
from appointments.free_times import Calendar, open_time
from appointments.intervals import Interval, clip, crowded, merge, subtract
from appointments.local_time import ceil_seconds, floor_seconds, offset_spans
from appointments.models import Appointment, AppointmentType
from appointments.services import rules
from appointments.transitions import Status
from practices.models import Location


@dataclass(frozen=True, slots=True)
class Span:
    start: datetime
    end: datetime


@dataclass(slots=True)
class ProviderDay:
    """`gaps` are what is left of `available`: time in which some visit, buffers aside, could still begin and end."""

    provider: ProviderProfile
    available: list[Span] = field(default_factory=list)
    gaps: list[Span] = field(default_factory=list)
    visits: list[Appointment] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Day:
    """From midnight to midnight on the location's clock: 23 or 25 hours when the clocks change."""

    location: Location
    date: date
    time_zone: str
    start: datetime
    end: datetime
    providers: Sequence[ProviderDay]


def day_at(location: Location, day: date, *, now: datetime) -> Day:
    """Those who have hours or visits there that day, by name."""
    zone = rules.zone_at(location)
    start, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    visits = _visits(location, start, end, now)
    by_provider = _calendars(location, start, end, now)
    shown = ProviderProfile.objects.filter(pk__in={*visits, *by_provider}).order_by("display_name", "id")
    bounds = ceil_seconds(start), floor_seconds(end)
    providers = [_provider_day(each, by_provider.get(each.pk, ()), visits.get(each.pk, ()), *bounds) for each in shown]
    return Day(location, day, zone, start, end, providers)


def _midnight(day: date, zone: str) -> datetime:
    """The first instant of the day; where midnight is skipped, the end of the gap."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _visits(location: Location, start: datetime, end: datetime, now: datetime) -> Mapping[UUID, Sequence[Appointment]]:
    """What begins that day, without mistakes and holds that have run out."""
    rows = Appointment.objects.with_people().filter(location=location, start__gte=start, start__lt=end)
    found: dict[UUID, list[Appointment]] = defaultdict(list)
    for visit in rows.exclude(status=Status.ENTERED_IN_ERROR).order_by("start", "id"):
        if not visit.hold_expired(now):
            found[visit.provider_id].append(visit)
    return found


def _calendars(location: Location, start: datetime, end: datetime, now: datetime) -> Mapping[UUID, Sequence[Calendar]]:
    """Those that are open some time that day."""
    any_visit = AppointmentType(duration=1, alignment=1)
    asked = Search(any_visit, ceil_seconds(start), floor_seconds(end), location=location.pk)
    found: dict[UUID, list[Calendar]] = defaultdict(list)
    for calendar in load(asked, now=now):
        if _open([calendar], asked.start, asked.end):
            found[calendar.provider].append(calendar)
    return found


def _open(calendars: Iterable[Calendar], start: int, end: int) -> list[Interval]:
    return merge(
        interval
        for calendar in calendars
        for interval in clip(open_time(calendar, offset_spans(calendar.zone, start, end)), start, end)
    )


def _provider_day(
    provider: ProviderProfile, calendars: Sequence[Calendar], visits: Sequence[Appointment], start: int, end: int
) -> ProviderDay:
    available = _open(calendars, start, end)
    full = [(taken.start, taken.end) for taken in (calendars[0].taken if calendars else ())]
    gaps = subtract(available, crowded(full, calendars[0].capacity)) if calendars else []
    return ProviderDay(provider, _spans(available), _spans(gaps), list(visits))


def _spans(intervals: Iterable[Interval]) -> list[Span]:
    return [Span(datetime.fromtimestamp(a, UTC), datetime.fromtimestamp(b, UTC)) for a, b in intervals]
