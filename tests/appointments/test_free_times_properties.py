"""Free times against a second opinion that looks at each candidate start by itself, with datetimes."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from appointments.free_times import Calendar, DatedHours, Taken, Visit, WeeklyHours, fits, free_starts
from appointments.local_time import floor_seconds

QUARTER = 900
CHANGES = [
    ("America/New_York", date(2027, 3, 14)),
    ("America/New_York", date(2027, 11, 7)),
    ("Europe/Berlin", date(2027, 3, 28)),
    ("Europe/Berlin", date(2027, 10, 31)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),
    ("Australia/Lord_Howe", date(2027, 10, 3)),
    ("Asia/Kathmandu", date(2027, 6, 1)),
    ("America/Havana", date(2027, 3, 14)),  # midnight itself is skipped
]
quarters = st.integers(0, 95).map(lambda n: time(n // 4, n % 4 * 15))


@st.composite
def weeks(draw: st.DrawFn, around: date) -> WeeklyHours:
    return WeeklyHours(
        weekday=draw(st.integers(0, 6)),
        opens=draw(quarters),
        closes=draw(quarters),
        valid_from=around + timedelta(days=draw(st.integers(-20, 2))),
        valid_to=draw(st.none() | st.integers(-2, 4).map(lambda days: around + timedelta(days=days))),
        every_n_weeks=draw(st.integers(1, 3)),
    )


@st.composite
def dated(draw: st.DrawFn, around: date) -> DatedHours:
    first = around + timedelta(days=draw(st.integers(-3, 3)))
    whole = draw(st.booleans())
    return DatedHours(
        first=first,
        last=first + timedelta(days=draw(st.integers(0, 2))),
        opens=None if whole else draw(quarters),
        closes=None if whole else draw(quarters),
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[Calendar, Visit, int, int]:
    name, change = draw(st.sampled_from(CHANGES))
    start = floor_seconds(datetime.combine(change, time(0), tzinfo=UTC)) + draw(st.integers(-96, 48)) * QUARTER
    taken = st.builds(
        lambda lane, begin, length: Taken(lane, start + begin * 300, start + (begin + length) * 300),
        *(st.integers(0, 2), st.integers(-24, 300), st.integers(0, 60)),
    )
    calendar = Calendar(
        provider=UUID(int=1),
        location=None,
        zone=ZoneInfo(name),
        weekly=draw(st.lists(weeks(change), max_size=6)),
        extra=draw(st.lists(dated(change), max_size=2)),
        closed=draw(st.lists(dated(change), max_size=2)),
        taken=draw(st.lists(taken, max_size=6)),
        capacity=draw(st.integers(1, 2)),
    )
    visit = Visit(
        duration=draw(st.integers(1, 8)) * QUARTER,
        step=draw(st.sampled_from([300, 900, 1800, 2700])),
        buffer_before=draw(st.integers(0, 4)) * 300,
        buffer_after=draw(st.integers(0, 4)) * 300,
    )
    return calendar, visit, start, start + draw(st.integers(1, 96)) * QUARTER


def within(wall: datetime, day: date, opens: time, closes: time) -> bool:
    """Whether the wall time is in hours that begin on `day`."""
    last = day if closes > opens else day + timedelta(days=1)
    return datetime.combine(day, opens) <= wall < datetime.combine(last, closes)


def weekly_covers(hours: WeeklyHours, wall: datetime) -> bool:
    for day in (wall.date(), wall.date() - timedelta(days=1)):
        weeks_apart = (
            day - timedelta(day.weekday()) - hours.valid_from + timedelta(hours.valid_from.weekday())
        ).days // 7
        valid = hours.valid_from <= day <= (hours.valid_to or date.max)
        turn = day.weekday() == hours.weekday and weeks_apart % hours.every_n_weeks == 0
        if valid and turn and within(wall, day, hours.opens, hours.closes):
            return True
    return False


def dated_covers(hours: DatedHours, wall: datetime) -> bool:
    if hours.opens is None or hours.closes is None:
        return hours.first <= wall.date() <= hours.last
    days = (wall.date(), wall.date() - timedelta(days=1))
    return any(hours.first <= day <= hours.last and within(wall, day, hours.opens, hours.closes) for day in days)


def is_open(calendar: Calendar, at: int) -> bool:
    wall = datetime.fromtimestamp(at, calendar.zone).replace(tzinfo=None, fold=0)
    opened = any(weekly_covers(hours, wall) for hours in calendar.weekly)
    opened = opened or any(dated_covers(hours, wall) for hours in calendar.extra)
    return opened and not any(dated_covers(hours, wall) for hours in calendar.closed)


def is_free(calendar: Calendar, visit: Visit, start: int) -> bool:
    begin, end = start - visit.buffer_before, start + visit.duration + visit.buffer_after
    met = [taken for taken in calendar.taken if max(taken.start, begin) < min(taken.end, end)]
    crowds = (sum(taken.start <= at < taken.end for taken in met) for at in range(begin, end, 300))
    lanes = set(range(calendar.capacity)) - {taken.lane for taken in met}
    return bool(lanes) and all(crowd < calendar.capacity for crowd in crowds)


def judged_free(calendar: Calendar, visit: Visit, at: int) -> bool:
    wall = datetime.fromtimestamp(at, calendar.zone)
    aligned = (wall.hour * 3600 + wall.minute * 60 + wall.second) % visit.step == 0
    opened = aligned and all(is_open(calendar, moment) for moment in range(at, at + visit.duration, 300))
    return opened and is_free(calendar, visit, at)


@settings(max_examples=200, deadline=None)
@given(questions())
def test_exactly_the_starts_that_are_open_aligned_and_free(question: tuple[Calendar, Visit, int, int]) -> None:
    calendar, visit, start, end = question
    found = free_starts(calendar, visit, start, end)
    assert found == [at for at in range(start, end, 300) if judged_free(calendar, visit, at)]
    assert all(fits(calendar, visit, at) for at in found)


@settings(max_examples=100, deadline=None)
@given(questions(), st.data())
def test_booking_an_offered_start_takes_it_and_all_that_would_touch_it(
    question: tuple[Calendar, Visit, int, int], data: st.DataObject
) -> None:
    calendar, visit, start, end = question
    found = free_starts(calendar, visit, start, end)
    if not found:
        return
    at = data.draw(st.sampled_from(found))
    period = (at - visit.buffer_before, at + visit.duration + visit.buffer_after)
    everywhere = [Taken(lane, *period) for lane in range(calendar.capacity)]
    booked = replace(calendar, taken=[*calendar.taken, *everywhere])
    reach = visit.buffer_before + visit.duration + visit.buffer_after
    left = free_starts(booked, visit, start, end)
    assert left == [other for other in found if abs(other - at) >= reach]
    assert not fits(booked, visit, at)


@settings(max_examples=100, deadline=None)
@given(questions(), st.integers(1, 95))
def test_asking_in_two_parts_gives_the_same_as_asking_once(
    question: tuple[Calendar, Visit, int, int], cut: int
) -> None:
    calendar, visit, start, end = question
    middle = min(start + cut * QUARTER, end)
    whole = free_starts(calendar, visit, start, end)
    assert whole == free_starts(calendar, visit, start, middle) + free_starts(calendar, visit, middle, end)
    assert all(one < other for one, other in pairwise(whole))
    assert all(start <= at < end for at in whole)
