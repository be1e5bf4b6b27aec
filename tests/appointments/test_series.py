"""Visits that repeat: planned, booked, moved and ended."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from appointments.models import Appointment, AppointmentSeries
from appointments.problems import NothingToChange, SlotUnavailable
from appointments.recurrence import Recurrence
from appointments.services import Move, book, cancel, reschedule
from appointments.services.series import (
    SeriesBooking,
    SeriesMove,
    book_series,
    cancel_series,
    preview_series,
    reschedule_series,
)
from appointments.signals import time_freed
from config.api.problem import ValidationProblem
from practices.models import Closure, Location, PracticePolicy, Resource
from practices.tenancy import Actor
from tests.appointments.conftest import SETUP, calendar_of

TODAY = timezone.now().date()
MONDAY = TODAY + timedelta(days=14 - TODAY.weekday())
FRONT_DESK = Actor(kind="user", roles=("front_desk",))


def wall(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute))


def week(number: int, hour: int = 10, minute: int = 0) -> datetime:
    """The instant of that local time on the Monday of a week from the first."""
    return wall(MONDAY + timedelta(weeks=number), hour, minute).replace(tzinfo=ZoneInfo("America/New_York"))


@pytest.fixture
def wish(in_clinic: Any) -> Callable[..., SeriesBooking]:
    def make(rule: str = "FREQ=WEEKLY;COUNT=4", **changes: Any) -> SeriesBooking:
        values = {
            "patient": in_clinic.patient,
            "appointment_type": in_clinic.visit,
            "provider": in_clinic.provider,
            "location": in_clinic.location,
            "start": wall(MONDAY, 10),
            "rrule": Recurrence.parse(rule),
        }
        return SeriesBooking(**{**values, **changes})

    return make


def starts(series: Any) -> list[str]:
    """Local starts of its visits that are not cancelled, as `MM-DD HH:MM`."""
    visits = series.appointments.exclude(status="cancelled").order_by("start")
    return [f"{visit.start.astimezone(ZoneInfo(visit.time_zone)):%m-%d %H:%M}" for visit in visits]


def shown(*walls: datetime) -> list[str]:
    return [f"{at:%m-%d %H:%M}" for at in walls]


def visits_of(series: AppointmentSeries) -> list[Any]:
    return list(series.appointments.order_by("series_index"))


# --- Across the changes of the clocks -------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "before", "after"),
    [
        ("America/New_York", date(2027, 3, 14), -5, -4),
        ("America/New_York", date(2027, 11, 7), -4, -5),
        ("Europe/Berlin", date(2027, 3, 28), 1, 2),
        ("Europe/Berlin", date(2027, 10, 31), 2, 1),
        ("Australia/Lord_Howe", date(2027, 4, 4), 11, 10.5),
        ("Australia/Lord_Howe", date(2027, 10, 3), 10.5, 11),
    ],
)
def test_the_local_time_stays_across_a_change_of_the_clocks(
    in_clinic: Any, wish: Any, zone: str, day: date, before: float, after: float
) -> None:
    in_clinic.location.time_zone = zone
    series = book_series(wish("FREQ=DAILY;COUNT=3", start=wall(day - timedelta(days=1), 9)), by=SETUP)
    found = [visit.start.astimezone(ZoneInfo(zone)) for visit in visits_of(series)]
    assert [at.replace(tzinfo=None) for at in found] == [wall(day + timedelta(days=n), 9) for n in (-1, 0, 1)]
    assert [at.utcoffset() for at in found] == [timedelta(hours=hours) for hours in (before, after, after)]
    assert {visit.end - visit.start for visit in visits_of(series)} == {timedelta(minutes=30)}


def test_a_day_on_which_the_clocks_skip_the_time_is_refused_or_left_out(wish: Any) -> None:
    asked = wish("FREQ=WEEKLY;COUNT=3", start=wall(date(2027, 3, 7), 2, 30))
    with pytest.raises(SlotUnavailable) as caught:
        book_series(asked, by=SETUP)
    assert [(each["date"], each["problems"][0]["code"]) for each in caught.value.members["occurrences"]] == [
        (date(2027, 3, 14), "nonexistent_local_time")
    ]
    series = book_series(asked, by=SETUP, on_conflict="skip")
    assert (starts(series), series.exdates) == (["03-07 02:30", "03-21 02:30"], [date(2027, 3, 14)])
    assert [visit.series_index for visit in visits_of(series)] == [1, 3]


@pytest.mark.parametrize(("offset", "hour"), [("-04:00", 5), ("-05:00", 6)])
def test_a_time_that_comes_twice_needs_the_offset_of_the_start(wish: Any, offset: str, hour: int) -> None:
    days = "FREQ=WEEKLY;COUNT=2"
    _, occurrences = preview_series(wish(days, start=wall(date(2027, 10, 31), 1, 30)), by=SETUP)
    assert [[error.code for problem in each.problems for error in problem.errors] for each in occurrences] == [
        [],
        ["ambiguous_local_time"],
    ]
    first = date(2027, 10, 31) if offset == "-04:00" else date(2027, 11, 7)
    days = days if offset == "-04:00" else "FREQ=DAILY;COUNT=1"
    series = book_series(wish(days, start=datetime.fromisoformat(f"{first}T01:30:00{offset}")), by=SETUP)
    assert f"{visits_of(series)[-1].start:%m-%d %H:%M}" == f"11-07 0{hour}:30"


def test_a_visit_over_midnight_of_the_change_keeps_its_length(wish: Any) -> None:
    first = wall(date(2027, 3, 12), 23)
    series = book_series(wish("FREQ=DAILY;COUNT=3", start=first, end=first + timedelta(hours=5)), by=SETUP)
    assert {visit.end - visit.start for visit in visits_of(series)} == {timedelta(hours=5)}


# --- Planning and booking -------------------------------------------------------------------------


def test_every_day_is_a_visit_with_its_own_allocation_and_history(in_clinic: Any, wish: Any) -> None:
    series = book_series(wish(notes="Bring the diary", resources=[in_clinic.room]), by=SETUP)
    visits = visits_of(series)
    assert starts(series) == shown(*(week(number) for number in range(4)))
    assert [(visit.series_index, visit.status, visit.notes) for visit in visits] == [
        (index, "booked", "Bring the diary") for index in (1, 2, 3, 4)
    ]
    assert [visit.allocations.count() for visit in visits] == [2] * 4
    assert [visit.status_events.get().action for visit in visits] == ["book"] * 4


def test_every_conflict_of_every_day_is_told_and_nothing_is_booked(in_clinic: Any, wish: Any, booking: Any) -> None:
    moss = calendar_of(in_clinic.practice, "Moss")
    book(booking(start=week(2)), by=SETUP)
    book(booking(start=week(2, 10, 30), resources=[in_clinic.room]), by=SETUP)
    book(booking(start=week(3), provider=moss.provider, resources=[in_clinic.room]), by=SETUP)
    day = MONDAY + timedelta(weeks=3)
    Closure.objects.create(name="Flood", start_date=day, end_date=day)
    asked = wish(resources=[in_clinic.room], end=wall(MONDAY, 11))
    _, occurrences = preview_series(asked, by=SETUP)
    assert [each.available for each in occurrences] == [True, True, False, False]
    assert [[conflict.resource for conflict in each.conflicts] for each in occurrences[2:]] == [
        [in_clinic.calendar.pk, in_clinic.calendar.pk, in_clinic.room.pk],
        [in_clinic.room.pk],
    ]
    assert [problem.errors[0].code for problem in occurrences[3].problems] == ["closed"]
    with pytest.raises(SlotUnavailable) as caught:
        book_series(asked, by=SETUP)
    refused = caught.value.members["occurrences"]
    assert [each["date"] for each in refused] == [MONDAY + timedelta(weeks=number) for number in (2, 3)]
    assert len(caught.value.conflicts) == 4
    assert (AppointmentSeries.objects.count(), Appointment.objects.count()) == (0, 3)


def test_skipping_leaves_the_taken_days_out_but_not_all_of_them(wish: Any, booking: Any) -> None:
    book(booking(start=week(1)), by=SETUP)
    series = book_series(wish(), by=SETUP, on_conflict="skip")
    assert starts(series) == shown(week(0), week(2), week(3))
    assert series.exdates == [MONDAY + timedelta(weeks=1)]
    with pytest.raises(SlotUnavailable):
        book_series(wish(exdates=series.exdates), by=SETUP, on_conflict="skip")


def test_days_beyond_the_horizon_or_within_the_notice_are_refused_day_by_day(wish: Any) -> None:
    PracticePolicy.objects.update(horizon_days=30, min_notice_minutes=60)
    soon = timezone.now().astimezone(ZoneInfo("America/New_York")) + timedelta(minutes=30)
    _, occurrences = preview_series(wish("FREQ=DAILY;INTERVAL=20;COUNT=3", start=soon), by=FRONT_DESK)
    codes = [[error.code for problem in each.problems for error in problem.errors] for each in occurrences]
    assert codes == [["too_soon"], [], ["too_far_ahead"]]


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"rule": "FREQ=WEEKLY;BYDAY=TU;COUNT=2"}, "/rrule", "invalid"),
        ({"rule": "FREQ=DAILY;COUNT=2", "end": wall(MONDAY + timedelta(days=1), 10, 1)}, "/end", "invalid_length"),
        ({"end": wall(MONDAY, 10)}, "/end", "invalid_length"),
        ({"rule": "FREQ=DAILY;COUNT=1", "exdates": [MONDAY]}, "/exdates", "invalid"),
    ],
)
def test_what_is_wrong_with_all_days_is_told_once(wish: Any, changes: dict[str, Any], pointer: str, code: str) -> None:
    with pytest.raises(ValidationProblem) as caught:
        book_series(wish(**changes), by=SETUP)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [(pointer, code)]


def test_visits_of_one_series_may_not_overlap_each_other(in_clinic: Any, wish: Any) -> None:
    in_clinic.visit.buffer_after = 60
    asked = wish("FREQ=DAILY;COUNT=2", end=wall(MONDAY + timedelta(days=1), 9, 30))
    with pytest.raises(ValidationProblem) as caught:
        preview_series(asked, by=SETUP)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/rrule", "overlap")]


def test_the_deceased_have_no_series(in_clinic: Any, wish: Any) -> None:
    in_clinic.patient.deceased_at = timezone.now()
    with pytest.raises(ValidationProblem) as caught:
        book_series(wish(), by=SETUP)
    assert caught.value.errors[0].code == "patient_deceased"


def test_an_expired_hold_gives_way_to_a_series(wish: Any, booking: Any) -> None:
    hold = book(booking(start=week(1), hold=True), by=SETUP)
    with pytest.raises(SlotUnavailable):
        book_series(wish(), by=SETUP)
    Appointment.objects.filter(pk=hold.pk).update(hold_expires_at=timezone.now() - timedelta(seconds=1))
    assert len(starts(book_series(wish(), by=SETUP))) == 4
    hold.refresh_from_db()
    assert hold.status == "cancelled"


def test_each_visit_gets_whatever_room_is_free_that_day(in_clinic: Any, wish: Any, booking: Any) -> None:
    in_clinic.visit.required_resource_kinds = ["room"]
    other = Resource.objects.create(kind="room", name="Zimmer")
    moss = calendar_of(in_clinic.practice, "Moss")
    moss.room.delete()
    book(booking(start=week(1), provider=moss.provider, resources=[in_clinic.room]), by=SETUP)
    series = book_series(wish("FREQ=WEEKLY;COUNT=2"), by=SETUP)
    rooms = [visit.allocations.get(resource__kind="room").resource_id for visit in visits_of(series)]
    assert rooms == [in_clinic.room.pk, other.pk]


@pytest.mark.parametrize("count", [2, 40])
def test_preview_takes_the_same_statements_for_any_number_of_days(
    wish: Any, booking: Any, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(2):
        book(booking(start=week(number)), by=SETUP)
    asked = wish(f"FREQ=WEEKLY;COUNT={count}")
    with django_assert_num_queries(4):
        preview_series(asked, by=SETUP)


# --- Moving and ending ----------------------------------------------------------------------------


def test_one_moved_visit_is_detached_and_keeps_its_time_when_the_others_move(wish: Any) -> None:
    series = book_series(wish(), by=SETUP)
    visit = visits_of(series)[1]
    reschedule_series(
        series, "this", SeriesMove(start=wall(MONDAY + timedelta(days=8), 15)), appointment=visit, by=SETUP
    )
    visit.refresh_from_db()
    assert (visit.detached, visit.series_index) == (True, 2)
    moved = reschedule_series(series, "all", SeriesMove(start=wall(MONDAY, 11)), appointment=None, by=SETUP)
    assert moved.pk == series.pk
    assert starts(series) == shown(week(0, 11), wall(MONDAY + timedelta(days=8), 15), week(2, 11), week(3, 11))


def test_moving_a_visit_by_itself_detaches_it_too(wish: Any) -> None:
    visit = visits_of(book_series(wish(), by=SETUP))[0]
    assert reschedule(visit, Move(start=wall(MONDAY, 12)), by=SETUP).detached


def test_following_visits_become_a_series_of_their_own(in_clinic: Any, wish: Any) -> None:
    moss = calendar_of(in_clinic.practice, "Moss")
    series = book_series(wish("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=6"), by=SETUP)
    visits = visits_of(series)
    move = SeriesMove(start=wall(MONDAY + timedelta(days=8), 14), provider=moss.provider)
    moved = reschedule_series(series, "following", move, appointment=visits[2], by=SETUP)
    assert moved.pk != series.pk
    assert (series.rrule, moved.rrule) == (
        f"FREQ=WEEKLY;BYDAY=MO,WE;UNTIL={MONDAY + timedelta(days=6):%Y%m%d}",
        "FREQ=WEEKLY;BYDAY=TU,TH;COUNT=4",
    )
    assert starts(series) == shown(week(0), wall(MONDAY + timedelta(days=2), 10))
    later = [wall(MONDAY + timedelta(days=day), 14) for day in (8, 10, 15, 17)]
    assert starts(moved) == shown(*later)
    assert [visit.series_index for visit in visits_of(moved)] == [1, 2, 3, 4]
    assert {visit.provider_id for visit in visits_of(moved)} == {moss.provider.pk}
    assert [event.action for event in visits[3].status_events.all()] == ["book", "reschedule"]
    assert in_clinic.calendar.allocations.filter(blocking=True).count() == 2
    again = reschedule_series(
        moved, "following", SeriesMove(start=wall(MONDAY + timedelta(days=15), 9)), appointment=visits[4], by=SETUP
    )
    assert starts(again) == shown(*(wall(MONDAY + timedelta(days=day), 9) for day in (15, 17)))


def test_the_past_never_changes(wish: Any) -> None:
    days = [TODAY + timedelta(weeks=week) for week in (-1, 1, 3)]
    series = book_series(wish("FREQ=WEEKLY;INTERVAL=2;COUNT=3", start=wall(days[0], 10)), by=SETUP)
    past = visits_of(series)[0]
    with pytest.raises(ValidationProblem) as caught:
        reschedule_series(series, "following", SeriesMove(start=wall(TODAY, 12)), appointment=past, by=SETUP)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/appointment", "invalid")]
    moved = reschedule_series(series, "all", SeriesMove(start=wall(days[1], 12)), appointment=None, by=SETUP)
    assert starts(series) == shown(wall(days[0], 10))
    assert starts(moved) == shown(wall(days[1], 12), wall(days[2], 12))
    with pytest.raises(NothingToChange):
        cancel_series(series, "all", appointment=None, by=SETUP)
    assert starts(series) == shown(wall(days[0], 10))


def test_a_series_never_conflicts_with_itself_and_all_stays_when_one_day_is_taken(wish: Any, booking: Any) -> None:
    series = book_series(wish("FREQ=DAILY;COUNT=4"), by=SETUP)
    before = starts(series)
    reschedule_series(series, "all", SeriesMove(start=wall(MONDAY + timedelta(days=1), 10)), appointment=None, by=SETUP)
    assert starts(series) == shown(*(wall(MONDAY + timedelta(days=day), 10) for day in (1, 2, 3, 4)))
    reschedule_series(series, "all", SeriesMove(start=wall(MONDAY, 10)), appointment=None, by=SETUP)
    assert starts(series) == before
    book(booking(start=week(0, 12) + timedelta(days=2)), by=SETUP)
    with pytest.raises(SlotUnavailable) as caught:
        reschedule_series(series, "all", SeriesMove(start=wall(MONDAY, 12)), appointment=None, by=SETUP)
    assert [each["date"] for each in caught.value.members["occurrences"]] == [MONDAY + timedelta(days=2)]
    assert starts(series) == before
    reschedule_series(series, "all", SeriesMove(start=wall(MONDAY, 12)), appointment=None, by=SETUP, on_conflict="skip")
    hours = {0: 12, 1: 12, 2: 10, 3: 12}
    assert starts(series) == shown(*(wall(MONDAY + timedelta(days=day), hour) for day, hour in hours.items()))
    assert [visit.detached for visit in visits_of(series)] == [False, False, True, False]


def test_times_that_a_moved_series_gave_back_are_told(in_clinic: Any, wish: Any, booking: Any) -> None:
    told: list[dict[str, Any]] = []

    def listen(sender: object, **kwargs: Any) -> None:
        told.append(kwargs)

    series = book_series(wish("FREQ=DAILY;COUNT=3"), by=SETUP)
    book(booking(start=week(0, 12) + timedelta(days=1)), by=SETUP)
    time_freed.connect(listen)
    move = SeriesMove(start=wall(MONDAY, 12), location=Location.objects.create(name="Elsewhere"))
    reschedule_series(series, "all", move, appointment=None, by=SETUP, on_conflict="skip")
    time_freed.disconnect(listen)
    assert [each["start"] for each in told] == [week(0), week(0) + timedelta(days=2)]  # the one between stays
    assert {each["end"] - each["start"] for each in told} == {timedelta(minutes=30)}
    assert {(each["provider_id"], each["location_id"]) for each in told} == {
        (in_clinic.provider.pk, in_clinic.location.pk)
    }


def test_a_visit_that_stays_keeps_its_time_from_the_others(wish: Any, booking: Any) -> None:
    """Day 4 is taken, so the visit of day 3 stays, so that of day 2 can't move there, and so on."""
    series = book_series(wish("FREQ=DAILY;COUNT=4"), by=SETUP)
    book(booking(start=week(0) + timedelta(days=4)), by=SETUP)
    move = SeriesMove(start=wall(MONDAY + timedelta(days=1), 10))
    with pytest.raises(NothingToChange):
        reschedule_series(series, "all", move, appointment=None, by=SETUP, on_conflict="skip")
    assert not series.appointments.filter(detached=True).exists()


def test_days_that_can_t_all_move_as_far_are_refused(wish: Any) -> None:
    series = book_series(wish("FREQ=MONTHLY;BYDAY=2MO;COUNT=3", start=wall(_second_monday(), 10)), by=SETUP)
    move = SeriesMove(start=wall(_second_monday() + timedelta(days=1), 10))
    with pytest.raises(ValidationProblem) as caught:
        reschedule_series(series, "all", move, appointment=None, by=SETUP)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/start", "invalid")]


def _second_monday() -> date:
    month = (MONDAY.replace(day=1) + timedelta(days=32)).replace(day=1)
    return month + timedelta(days=(7 - month.weekday()) % 7 + 7)


def test_cancelling_frees_the_time_of_those_that_follow(wish: Any) -> None:
    series = book_series(wish(), by=SETUP)
    visits = visits_of(series)
    cancel_series(series, "this", appointment=visits[0], by=SETUP)
    assert starts(series) == shown(week(1), week(2), week(3))
    cancel_series(series, "following", appointment=visits[2], by=SETUP, note="Moved away")
    assert starts(series) == shown(week(1))
    assert visits[3].status_events.get(action="cancel").reason == "Moved away"
    assert len(starts(book_series(wish(start=week(2), rule="FREQ=WEEKLY;COUNT=2"), by=SETUP))) == 2


def test_a_visit_of_another_series_is_no_visit_of_this_one(wish: Any) -> None:
    series = book_series(wish(), by=SETUP)
    stranger = visits_of(book_series(wish(start=wall(MONDAY, 15)), by=SETUP))[0]
    with pytest.raises(ValidationProblem) as caught:
        cancel_series(series, "following", appointment=stranger, by=SETUP)
    assert caught.value.errors[0].code == "does_not_exist"


def test_a_cancelled_visit_stays_cancelled_and_in_its_series_when_the_others_move(wish: Any) -> None:
    series = book_series(wish(), by=SETUP)
    cancel(visits_of(series)[2], by=SETUP)
    moved = reschedule_series(
        series, "following", SeriesMove(start=week(1, 16)), appointment=visits_of(series)[1], by=SETUP
    )
    assert [(visit.series_index, visit.status) for visit in visits_of(moved)] == [
        (1, "booked"),
        (2, "cancelled"),
        (3, "booked"),
    ]
