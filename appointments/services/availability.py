"""Opening hours, time off and extra hours: saved only when they contradict nothing that is there."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q

from appointments.free_times import DatedHours, WeeklyHours
from appointments.models import AvailabilityException, AvailabilityRule
from appointments.overlaps import Hours, meet
from appointments.services.allocation import lock
from practices.models import Closure, Location, Practice, Resource
from practices.problems import AvailabilityConflict, Collision
from practices.services import told_of_closure
from practices.tenancy import active_practice_id

HoursRow = AvailabilityRule | AvailabilityException
HoursRowT = TypeVar("HoursRowT", AvailabilityRule, AvailabilityException)
_EXTRA = AvailabilityException.Kind.EXTRA
_ANYWHERE = ZoneInfo("UTC")
"""For hours of which both are on one clock, whichever it is."""


@transaction.atomic
def save_hours(row: HoursRowT) -> HoursRowT:
    """Raises AvailabilityConflict naming every row that the hours collide with.

    Nobody has hours twice at one time, at whatever locations; extra hours are only where nothing is closed, and time
    off isn't entered twice. Whoever changes the same resource's hours waits. At most five statements to look.
    """
    lock([row.resource_id])
    if isinstance(row, AvailabilityRule):
        found = _of_rule(row)
    else:
        found = _of_extra(row) if row.kind == _EXTRA else _of_closed(row)
    if collisions := [_told(each) for each in found]:
        raise AvailabilityConflict(collisions)
    row.save()
    return row


def _of_rule(row: AvailabilityRule) -> Iterator[Any]:
    zone, exceptions = _zone_of(row.resource), _exceptions(row)
    mine, open_then = _weekly(row, zone), _weekly(row, zone, but=exceptions)
    yield from (other for other in _rules(row) if meet(mine, _weekly(other, zone)))
    yield from (other for other in exceptions if other.kind == _EXTRA and meet(open_then, _extra(other, zone)))


def _of_extra(row: AvailabilityException) -> Iterator[Any]:
    zone, exceptions = _zone_of(row.resource), _exceptions(row)
    mine = _extra(row, zone)
    yield from (other for other in _rules(row) if meet(mine, _weekly(other, zone, but=exceptions)))
    yield from (other for other in exceptions if other.kind == _EXTRA and meet(mine, _extra(other, zone)))
    yield from (other for other in exceptions if other.kind != _EXTRA and _closes(other, row))
    yield from (closure for closure in _closures(row) if meet(mine, _shut(closure, row)))


def _of_closed(row: AvailabilityException) -> Iterator[Any]:
    return (other for other in _exceptions(row) if _closes(row, other))


def _rules(row: HoursRow) -> list[AvailabilityRule]:
    rules = AvailabilityRule.objects.filter(resource=row.resource).exclude(pk=row.pk).select_related("location")
    first, last = _days(row)
    rules = rules.filter(Q(valid_to=None) | Q(valid_to__gte=first - timedelta(days=2)))
    return list(rules if last is None else rules.filter(valid_from__lte=last + timedelta(days=2)))


def _exceptions(row: HoursRow) -> list[AvailabilityException]:
    rows = AvailabilityException.objects.filter(resource=row.resource).exclude(pk=row.pk).select_related("location")
    first, last = _days(row)
    rows = rows.filter(end_date__gte=first - timedelta(days=2))
    return list(rows if last is None else rows.filter(start_date__lte=last + timedelta(days=2)))


def _closures(row: AvailabilityException) -> list[Closure]:
    around = {"start_date__lte": row.end_date + timedelta(days=2), "end_date__gte": row.start_date - timedelta(days=2)}
    return list(Closure.objects.filter(Q(location=row.location) | Q(location=None), **around))


def _days(row: HoursRow) -> tuple[date, date | None]:
    return (row.valid_from, row.valid_to) if isinstance(row, AvailabilityRule) else (row.start_date, row.end_date)


def _closes(closed: AvailabilityException, other: AvailabilityException) -> bool:
    """Whether the two share a place and a time; what is closed is so on the clock of what it closes."""
    shared = None in (closed.location_id, other.location_id) or closed.location_id == other.location_id
    return shared and meet(Hours(_dated(closed), _ANYWHERE), Hours(_dated(other), _ANYWHERE))


def _weekly(row: AvailabilityRule, zone: str, but: Sequence[AvailabilityException] = ()) -> Hours:
    """The rule's hours, without those in which its location is among `but`, closed."""
    opened = WeeklyHours(row.weekday, row.start_time, row.end_time, row.valid_from, row.valid_to, row.every_n_weeks)
    closed = [_dated(each) for each in but if each.kind != _EXTRA and each.location_id in (None, row.location_id)]
    return Hours(opened, ZoneInfo(row.time_zone or row.location.time_zone or zone), closed)


def _extra(row: AvailabilityException, zone: str) -> Hours:
    return Hours(_dated(row), ZoneInfo(row.location.time_zone or zone) if row.location else ZoneInfo(zone))


def _shut(closure: Closure, row: AvailabilityException) -> Hours:
    """Closures go by the location's clock, else the practice's, never by a provider's."""
    place: Location | None = row.location
    return Hours(_dated(closure), ZoneInfo((place.time_zone if place else "") or _practice_zone()))


def _dated(row: AvailabilityException | Closure) -> DatedHours:
    return DatedHours(row.start_date, row.end_date, row.start_time, row.end_time)


def _zone_of(resource: Resource) -> str:
    """Where a location has none."""
    own: str = resource.provider.time_zone if resource.provider else ""
    return own or _practice_zone()


def _practice_zone() -> str:
    zone: str = Practice.objects.values_list("time_zone", flat=True).get(pk=active_practice_id())
    return zone


def _told(row: Any) -> Collision:
    if isinstance(row, AvailabilityRule):
        return Collision("availability-rule", row.pk, f"{row} at {row.location}")
    if isinstance(row, AvailabilityException):
        return Collision("availability-exception", row.pk, f"{row} to {row.end_date}")
    return told_of_closure(row)
