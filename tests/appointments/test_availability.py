"""Opening hours that contradict each other are refused, with the rows they collide with."""

from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appointments.free_times import WeeklyHours
from appointments.models import AvailabilityException, AvailabilityRule
from appointments.overlaps import Hours, meet
from appointments.services.availability import save_hours
from practices.models import Closure, Location
from practices.problems import AvailabilityConflict
from tests.appointments.conftest import calendar_of
from tests.clients import client_for

RULES, EXCEPTIONS = "/api/v1/availability-rules", "/api/v1/availability-exceptions"
MONDAY = date(2027, 3, 1)


def weekly(weekday: int, opens: int, closes: int, zone: str = "UTC", **changes: Any) -> Hours:
    values = {"valid_from": MONDAY, **changes}
    return Hours(WeeklyHours(weekday, time(opens), time(closes), **values), ZoneInfo(zone))


# --- Arithmetic -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (weekly(0, 9, 12), weekly(0, 11, 13), True),
        (weekly(0, 9, 12), weekly(0, 12, 13), False),
        (weekly(0, 9, 12), weekly(1, 9, 12), False),
        (weekly(6, 22, 6), weekly(0, 5, 7), True),
        (weekly(6, 22, 6), weekly(0, 6, 7), False),
        (weekly(0, 0, 0), weekly(1, 0, 1), False),
        (weekly(0, 9, 12, every_n_weeks=2), weekly(0, 9, 12, every_n_weeks=2, valid_from=date(2027, 3, 8)), False),
        (weekly(0, 9, 12, every_n_weeks=2), weekly(0, 9, 12, every_n_weeks=3, valid_from=date(2027, 3, 8)), True),
        (weekly(0, 9, 12, every_n_weeks=2), weekly(0, 9, 12, every_n_weeks=4, valid_from=date(2027, 3, 8)), False),
        (weekly(0, 9, 12, every_n_weeks=51), weekly(0, 9, 12, every_n_weeks=52, valid_from=date(2027, 3, 8)), True),
        (weekly(0, 9, 12, valid_to=date(2027, 5, 2)), weekly(0, 9, 12, valid_from=date(2027, 5, 3)), False),
        (weekly(0, 9, 12, valid_to=date(2027, 5, 3)), weekly(0, 9, 12, valid_from=date(2027, 5, 3)), True),
        (weekly(0, 9, 12), weekly(0, 9, 12, "Asia/Tokyo"), False),
        (weekly(0, 0, 3), weekly(0, 9, 12, "Asia/Tokyo"), True),
        (weekly(0, 22, 23), weekly(1, 7, 8, "Asia/Tokyo"), True),
        # New York is five hours behind in winter and four in summer.
        (weekly(0, 13, 14), weekly(0, 9, 10, "America/New_York"), True),
        (weekly(0, 13, 14, valid_to=date(2027, 3, 8)), weekly(0, 9, 10, "America/New_York"), False),
    ],
)
def test_hours_meet(one: Hours, other: Hours, expected: bool) -> None:
    assert (meet(one, other), meet(other, one)) == (expected, expected)


rules = st.builds(
    weekly,
    st.integers(0, 6),
    st.integers(0, 23),
    st.integers(0, 23),
    every_n_weeks=st.integers(1, 4),
    valid_from=st.dates(MONDAY, MONDAY + timedelta(days=20)),
)


@settings(max_examples=60, deadline=None)
@given(rules, rules)
def test_hours_meet_exactly_when_some_hour_of_the_coming_weeks_is_in_both(one: Hours, other: Hours) -> None:
    def hours(each: Hours) -> set[int]:
        first = MONDAY.toordinal() - 7
        return {at for start, end in each.walls(first, first + 7 * 20) for at in range(start, end, 3600)}

    assert meet(one, other) == bool(hours(one) & hours(other))


# --- Rows -----------------------------------------------------------------------------------------


@pytest.fixture
def rule(in_clinic: Any) -> Any:
    def make(**changes: Any) -> AvailabilityRule:
        values = {
            "resource": in_clinic.calendar,
            "location": in_clinic.location,
            "weekday": 0,
            "start_time": time(9),
            "end_time": time(17),
            "valid_from": MONDAY,
        }
        return AvailabilityRule(**{**values, **changes})

    return make


@pytest.fixture
def exception(in_clinic: Any) -> Any:
    def make(kind: str, day: date = MONDAY, **changes: Any) -> AvailabilityException:
        where = {"location": in_clinic.location} if kind == "extra" else {}
        values = {"resource": in_clinic.calendar, "kind": kind, "start_date": day, "end_date": day, **where}
        return AvailabilityException(**{**values, **changes})

    return make


def collisions(row: Any) -> list[Any]:
    """Ids of what is in the way; nothing when the row was saved."""
    try:
        save_hours(row)
    except AvailabilityConflict as refusal:
        return [each["id"] for each in refusal.members["collides_with"]]
    return []


def test_nobody_has_hours_twice_at_whatever_locations(in_clinic: Any, rule: Any) -> None:
    first, elsewhere = save_hours(rule()), Location.objects.create(name="Elsewhere")
    second = save_hours(rule(weekday=1))
    assert collisions(rule(start_time=time(16), end_time=time(18))) == [first.pk]
    assert collisions(rule(start_time=time(8), end_time=time(7), location=elsewhere)) == [first.pk]
    assert collisions(rule(start_time=time(23), end_time=time(9))) == []
    assert collisions(rule(weekday=0, start_time=time(22), end_time=time(21))) != []
    moss = calendar_of(in_clinic.practice, "Moss")
    assert collisions(rule(resource=moss.calendar)) == []
    second.weekday = 0
    assert collisions(second) == [first.pk]
    first.end_time = time(16)
    assert collisions(first) == []


def test_a_location_s_zone_counts(in_clinic: Any, rule: Any) -> None:
    tokyo = Location.objects.create(name="Tokyo", time_zone="Asia/Tokyo")
    save_hours(rule())
    assert collisions(rule(location=tokyo)) == []


def test_time_off_is_entered_once_for_a_place(in_clinic: Any, exception: Any) -> None:
    off = save_hours(exception("closed"))
    elsewhere = Location.objects.create(name="Elsewhere")
    assert collisions(exception("closed", start_time=time(9), end_time=time(10))) == [off.pk]
    assert collisions(exception("closed", location=elsewhere)) == [off.pk]
    day = MONDAY + timedelta(days=1)
    assert collisions(exception("closed", day, location=elsewhere)) == []
    assert collisions(exception("closed", day, location=in_clinic.location)) == []


def test_extra_hours_contradict_time_off_and_closures(in_clinic: Any, exception: Any) -> None:
    off = save_hours(exception("closed", start_time=time(12), end_time=time(14)))
    shut = Closure.objects.create(name="Flood", start_date=MONDAY, end_date=MONDAY)
    Closure.objects.create(
        name="Fire", start_date=MONDAY, end_date=MONDAY, location=Location.objects.create(name="Elsewhere")
    )
    assert collisions(exception("extra", start_time=time(13), end_time=time(15))) == [off.pk, shut.pk]
    shut.delete()
    extra = save_hours(exception("extra", start_time=time(14), end_time=time(15)))
    assert collisions(exception("closed", start_time=time(14), end_time=time(16))) == [extra.pk]


def test_extra_hours_are_elsewhere_only_when_the_usual_ones_are_off(in_clinic: Any, rule: Any, exception: Any) -> None:
    usual, elsewhere = save_hours(rule()), Location.objects.create(name="Elsewhere")
    extra = {"location": elsewhere, "start_time": time(10), "end_time": time(12)}
    assert collisions(exception("extra", **extra)) == [usual.pk]
    save_hours(exception("closed", location=in_clinic.location))
    there = save_hours(exception("extra", **extra))
    assert collisions(exception("extra", **extra)) == [there.pk]
    assert collisions(rule(location=elsewhere, valid_to=MONDAY)) == [usual.pk, there.pk]


def test_a_refusal_names_the_rows_in_words_and_by_id(clinic: Any) -> None:
    client = client_for("owner", clinic.practice)
    hours = {
        "resource": str(clinic.calendar.pk),
        "location": str(clinic.location.pk),
        "weekday": 0,
        "start_time": "09:00",
        "end_time": "17:00",
        "valid_from": "2027-03-01",
    }
    first = client.post(RULES, hours).json()
    refused = client.post(RULES, {**hours, "start_time": "16:00", "end_time": "18:00"})
    assert (refused.status_code, refused.json()["code"]) == (409, "availability_conflict")
    assert refused.json()["collides_with"] == [
        {"type": "availability-rule", "id": first["id"], "description": "Monday 09:00-17:00 at Vale Street"}
    ]
    later = client.post(RULES, {**hours, "weekday": 1}).json()
    assert client.patch(f"{RULES}/{later['id']}", {"weekday": 0}).status_code == 409
    assert client.get(f"{RULES}/{later['id']}").json()["weekday"] == 1
    extra = {
        "resource": hours["resource"],
        "location": hours["location"],
        "kind": "extra",
        "start_date": "2027-03-01",
        "end_date": "2027-03-02",
        "start_time": "16:30",
        "end_time": "17:30",
    }
    assert [each["id"] for each in client.post(EXCEPTIONS, extra).json()["collides_with"]] == [first["id"], later["id"]]


def test_values_that_contradict_each_other_are_told_apart(clinic: Any) -> None:
    owner = client_for("owner", clinic.practice)
    days = {"start_date": "2027-03-02", "end_date": "2027-03-01"}
    rule = {"weekday": 0, "start_time": "06:00", "end_time": "07:00"}
    at = {"resource": str(clinic.calendar.pk), "location": str(clinic.location.pk)}
    for path, method, body, words in (
        (RULES, owner.post, {**at, **rule, "valid_from": "2027-03-02", "valid_to": "2027-03-01"}, "The last day"),
        (EXCEPTIONS, owner.post, {**at, **days, "kind": "closed"}, "The last day"),
        (
            EXCEPTIONS,
            owner.post,
            {**at, "start_date": "2027-03-02", "end_date": "2027-03-02", "kind": "closed", "start_time": "09:00"},
            "Give both times",
        ),
        (
            EXCEPTIONS,
            owner.post,
            {"resource": at["resource"], "start_date": "2027-03-02", "end_date": "2027-03-02", "kind": "extra"},
            "Extra hours are at a location",
        ),
        ("/api/v1/closures", owner.post, {**days, "name": "Holiday"}, "The last day"),
        ("/api/v1/practice/policy", owner.patch, {"quiet_hours_start": "21:00"}, "Give both ends"),
    ):
        response = method(path, body)
        (error,) = response.json()["errors"]
        assert (response.status_code, error["code"], words in error["detail"]) == (400, "invalid", True), error
