from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pytest_django import DjangoAssertNumQueries

from appointments.calendars import Search, search
from appointments.local_time import DAY, floor_seconds
from appointments.models import AvailabilityException, AvailabilityRule
from appointments.services import Booking, book, cancel
from appointments.suggestions import suggestions
from practices.models import Closure, Location, Practice, PracticePolicy
from practices.tenancy import Actor, practice_scope
from tests.appointments.conftest import calendar_of

SETUP = Actor.system("tests")
NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
MONDAY = NOW.date() + timedelta(days=14 - NOW.weekday())
Bookings = Callable[..., Booking]


def at(hour: int, minute: int = 0, *, day: date = MONDAY) -> datetime:
    return datetime.combine(day, time(hour, minute), UTC)


def starts(clinic: Any, *, day: date = MONDAY, days: int = 1, now: datetime = NOW, **narrowed: Any) -> list[str]:
    """The free starts of those days as `MM-DD HH:MM` on the calendar's own clock."""
    start = floor_seconds(at(0, day=day))
    found = search(Search(clinic.visit, start, start + days * DAY, **narrowed), now=now)
    return [datetime.fromtimestamp(free, calendar.zone).strftime("%H:%M") for free, calendar in found]


def open_weekdays(parts: Any, opens: time = time(9), closes: time = time(11), **changes: Any) -> None:
    for weekday in range(5):
        AvailabilityRule.objects.create(
            resource=parts.calendar,
            location=parts.location,
            weekday=weekday,
            start_time=opens,
            end_time=closes,
            valid_from=date(2026, 1, 1),
            **{"time_zone": "UTC", **changes},
        )


@pytest.fixture
def office(in_clinic: Any) -> Any:
    in_clinic.visit.alignment = 30
    in_clinic.visit.save()
    open_weekdays(in_clinic)
    return in_clinic


def test_weekly_hours_are_free_until_something_is_booked(office: Any, booking: Bookings) -> None:
    assert starts(office) == ["09:00", "09:30", "10:00", "10:30"]
    appointment = book(booking(start=at(9, 30)), by=SETUP)
    assert starts(office) == ["09:00", "10:00", "10:30"]
    cancel(appointment, by=SETUP)
    assert starts(office) == ["09:00", "09:30", "10:00", "10:30"]


def test_every_offered_start_can_be_booked(office: Any, booking: Bookings) -> None:
    office.visit.buffer_before, office.visit.buffer_after, office.visit.alignment = 5, 10, 10
    office.visit.save()
    while found := search(Search(office.visit, floor_seconds(at(0)), floor_seconds(at(23))), now=NOW):
        book(booking(start=datetime.fromtimestamp(found[len(found) // 2][0], UTC)), by=SETUP)
    assert office.calendar.allocations.count() in (2, 3)


def test_a_hold_takes_time_until_it_expires(office: Any, booking: Bookings) -> None:
    hold = book(booking(start=at(9), hold=True), by=SETUP)
    assert hold.hold_expires_at is not None
    assert "09:00" not in starts(office, now=hold.hold_expires_at - timedelta(seconds=1))
    assert "09:00" in starts(office, now=hold.hold_expires_at)


def test_notice_and_horizon_bound_the_offers(office: Any) -> None:
    PracticePolicy.objects.update(min_notice_minutes=60, horizon_days=1)
    assert starts(office, now=at(8, 30)) == ["09:30", "10:00", "10:30"]
    assert starts(office, now=at(10) - timedelta(days=1)) == ["09:00", "09:30", "10:00"]
    assert starts(office, now=at(12)) == []


def test_nothing_in_the_past_is_offered(office: Any) -> None:
    assert starts(office, now=at(9, 1)) == ["09:30", "10:00", "10:30"]


@pytest.mark.parametrize("part", ["visit", "provider", "calendar", "location"])
def test_what_is_no_longer_in_use_has_no_free_times(office: Any, part: str) -> None:
    row = getattr(office, part)
    row.active = False
    row.save()
    AvailabilityException.objects.create(
        resource=office.calendar, location=office.location, kind="extra", start_date=MONDAY, end_date=MONDAY
    )
    assert starts(office) == []


def test_exceptions_close_and_open_days_and_hours(office: Any) -> None:
    common = {"resource": office.calendar, "start_date": MONDAY, "end_date": MONDAY}
    AvailabilityException.objects.create(kind="closed", start_time=time(9, 30), end_time=time(10), **common)
    office.location.time_zone = "UTC"
    office.location.save()
    extra = {"location": office.location, "start_time": time(20), "end_time": time(21)}
    AvailabilityException.objects.create(kind="extra", **common, **extra)
    assert starts(office) == ["09:00", "10:00", "10:30", "20:00", "20:30"]
    AvailabilityException.objects.create(kind="closed", **common)
    assert starts(office) == []


def test_being_away_from_one_location_leaves_the_others(office: Any) -> None:
    other = SimpleNamespace(calendar=office.calendar, location=Location.objects.create(name="Other"))
    open_weekdays(other, time(14), time(15))
    AvailabilityException.objects.create(
        resource=office.calendar, location=other.location, kind="closed", start_date=MONDAY, end_date=MONDAY
    )
    assert starts(office) == ["09:00", "09:30", "10:00", "10:30"]
    assert starts(office, location=other.location.pk) == []
    assert starts(office, day=MONDAY + timedelta(days=1), location=other.location.pk) == ["14:00", "14:30"]


def test_a_visit_at_one_location_takes_the_provider_s_time_at_another(office: Any, booking: Bookings) -> None:
    other = SimpleNamespace(calendar=office.calendar, location=Location.objects.create(name="Other"))
    open_weekdays(other)
    book(booking(start=at(9), location=other.location), by=SETUP)
    assert starts(office, location=office.location.pk) == ["09:30", "10:00", "10:30"]


def test_closures_are_of_the_location_s_own_clock(office: Any) -> None:
    elsewhere = Location.objects.create(name="Elsewhere")
    Closure.objects.create(name="Other house", location=elsewhere, start_date=MONDAY, end_date=MONDAY)
    assert len(starts(office)) == 4
    ten = at(10).astimezone(ZoneInfo("America/New_York")).time()  # the practice's zone; the rules are in UTC
    drill = {"start_time": ten, "end_time": ten.replace(minute=30)}
    Closure.objects.create(name="Fire drill", start_date=MONDAY, end_date=MONDAY, **drill)
    assert starts(office) == ["09:00", "09:30", "10:30"]
    Closure.objects.create(name="Holiday", location=office.location, start_date=MONDAY, end_date=MONDAY)
    assert starts(office) == []


def test_a_place_s_zone_comes_from_rule_then_location_then_provider_then_practice(office: Any) -> None:
    AvailabilityRule.objects.all().delete()
    open_weekdays(office, time_zone="")
    zones = []
    for row, zone in ((None, ""), (office.provider, "Asia/Kathmandu"), (office.location, "Europe/Berlin")):
        if row is not None:
            row.time_zone = zone
            row.save()
        start = floor_seconds(at(0))
        found = search(Search(office.visit, start, start + 2 * DAY), now=NOW)
        zones.append({calendar.zone.key for _, calendar in found})
    assert zones == [{"America/New_York"}, {"Asia/Kathmandu"}, {"Europe/Berlin"}]


def test_capacity_takes_as_many_visits_at_once(office: Any, booking: Bookings) -> None:
    office.calendar.capacity = 2
    office.calendar.save()
    book(booking(start=at(9)), by=SETUP)
    assert starts(office)[0] == "09:00"
    book(booking(start=at(9)), by=SETUP)
    assert starts(office)[0] == "09:30"


def test_only_providers_have_free_times(office: Any) -> None:
    room = SimpleNamespace(calendar=office.room, location=office.location)
    open_weekdays(room, time(14), time(15))
    assert "14:00" not in starts(office)


def test_one_provider_or_location_can_be_asked_for(office: Any) -> None:
    second = calendar_of(office.practice, "Moor")
    open_weekdays(second)
    assert len(starts(office)) == 8
    assert len(starts(office, provider=second.provider.pk)) == 4
    assert len(starts(office, location=second.location.pk)) == 4
    assert starts(office, provider=second.provider.pk, location=office.location.pk) == []


def test_another_practice_s_hours_and_bookings_are_not_seen(clinic: Any, other_practice: Practice) -> None:
    with practice_scope(other_practice, actor=SETUP):
        stranger = calendar_of(other_practice)
        open_weekdays(stranger)
        Closure.objects.create(name="Holiday", start_date=MONDAY, end_date=MONDAY)
    with practice_scope(clinic.practice, actor=SETUP):
        assert starts(clinic) == []
        assert starts(clinic, provider=stranger.provider.pk) == []
        open_weekdays(clinic, time(9), time(9, 30))
        assert starts(clinic) == ["09:00"]


@pytest.mark.parametrize(("providers", "days"), [(1, 1), (3, 30)])
def test_a_search_takes_one_statement_whatever_its_size(
    office: Any, booking: Bookings, django_assert_num_queries: DjangoAssertNumQueries, providers: int, days: int
) -> None:
    for number in range(1, providers):
        another = calendar_of(office.practice, f"Number{number}")
        open_weekdays(another)
        book(booking(start=at(9), provider=another.provider, location=another.location), by=SETUP)
    Closure.objects.create(name="Holiday", start_date=MONDAY, end_date=MONDAY)
    with django_assert_num_queries(1):
        starts(office, days=days)


def test_suggestions_are_the_nearest_free_times(office: Any, booking: Bookings) -> None:
    book(booking(start=at(9, 30)), by=SETUP)
    found = suggestions(
        appointment_type=office.visit, start=at(9, 30), provider=office.provider.pk, location=office.location.pk
    )
    tuesday = MONDAY + timedelta(days=1)
    assert [each["start"] for each in found] == [at(9), at(10), at(10, 30), at(9, day=tuesday), at(9, 30, day=tuesday)]
    assert found[0] == {
        "start": at(9),
        "end": at(9, 30),
        "provider": office.provider.pk,
        "location": office.location.pk,
        "time_zone": "UTC",
    }


def test_suggestions_may_be_none(in_clinic: Any) -> None:
    assert suggestions(appointment_type=in_clinic.visit, start=at(9)) == []
