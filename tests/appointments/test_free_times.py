from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from appointments.free_times import (
    Calendar,
    DatedHours,
    Taken,
    Visit,
    WeeklyHours,
    bookable,
    fits,
    free_starts,
    free_times,
)
from appointments.local_time import DAY, floor_seconds

PLAIN = ZoneInfo("UTC")
NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
MONDAY = date(2027, 1, 4)
HALF_HOUR = Visit(duration=1800, step=1800)
HOUR = Visit(duration=3600, step=1800)


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    return floor_seconds(datetime(year, month, day, hour, minute, second, tzinfo=UTC))


def daily(opens: time, closes: time, *, valid_from: date = MONDAY) -> list[WeeklyHours]:
    return [WeeklyHours(weekday, opens, closes, valid_from) for weekday in range(7)]


def calendar(
    zone: ZoneInfo = PLAIN,
    weekly: Sequence[WeeklyHours] = (),
    extra: Sequence[DatedHours] = (),
    closed: Sequence[DatedHours] = (),
    taken: Sequence[Taken] = (),
    capacity: int = 1,
) -> Calendar:
    return Calendar(UUID(int=1), UUID(int=2), zone, weekly, extra, closed, (), taken, capacity)


def on_day(found: Calendar, visit: Visit, day: date, *, days: int = 1) -> list[str]:
    """The starts on these local days, as the clock on the wall shows them, with their offset."""
    midnight = [datetime.combine(day + timedelta(days=n), time(0), tzinfo=found.zone) for n in (0, days)]
    starts = free_starts(found, visit, floor_seconds(midnight[0]), floor_seconds(midnight[1]))
    return [datetime.fromtimestamp(at, found.zone).strftime("%H:%M%z") for at in starts]


def test_a_plain_morning_is_cut_into_aligned_starts_that_end_by_closing() -> None:
    morning = calendar(weekly=daily(time(9), time(11)))
    assert on_day(morning, HOUR, MONDAY) == ["09:00+0000", "09:30+0000", "10:00+0000"]


def test_a_visit_as_long_as_the_hours_fits_once_and_a_longer_one_never() -> None:
    morning = calendar(weekly=daily(time(9), time(11)))
    assert on_day(morning, Visit(7200, 1800), MONDAY) == ["09:00+0000"]
    assert on_day(morning, Visit(7260, 60), MONDAY) == []


def test_half_open_neighbours_fit_exactly() -> None:
    day = utc(2027, 1, 4)
    taken = [Taken(0, day + 9 * 3600, day + 9 * 3600 + 1800), Taken(0, day + 10 * 3600, day + 11 * 3600)]
    assert on_day(calendar(weekly=daily(time(9), time(11)), taken=taken), HALF_HOUR, MONDAY) == ["09:30+0000"]


def test_buffers_keep_away_from_taken_time_but_may_pass_the_hours() -> None:
    day = utc(2027, 1, 4)
    visit = Visit(duration=1800, step=900, buffer_before=600, buffer_after=900)
    taken = [Taken(0, day + 10 * 3600, day + 11 * 3600)]
    found = on_day(calendar(weekly=daily(time(9), time(12)), taken=taken), visit, MONDAY)
    assert found == ["09:00+0000", "09:15+0000", "11:15+0000", "11:30+0000"]


def test_hours_that_touch_are_one_and_a_lunch_break_is_not_worked() -> None:
    touching = calendar(weekly=[*daily(time(9), time(10)), *daily(time(10), time(11))])
    assert "09:30+0000" in on_day(touching, HOUR, MONDAY)
    lunch = calendar(weekly=[*daily(time(9), time(10)), *daily(time(10, 30), time(11, 30))])
    assert on_day(lunch, HOUR, MONDAY) == ["09:00+0000", "10:30+0000"]


def test_only_starts_inside_the_asked_window_are_given() -> None:
    morning = calendar(weekly=daily(time(9), time(12)))
    start = utc(2027, 1, 4, 9, 30)
    assert free_starts(morning, HOUR, start, start + 1801) == [start, start + 1800]
    assert free_starts(morning, HOUR, start + 1, start + 1800) == []
    assert free_starts(morning, HOUR, start, start) == []


def test_alignment_counts_from_local_midnight_not_from_opening_nor_from_utc() -> None:
    found = on_day(calendar(KATHMANDU, daily(time(9, 10), time(10, 40))), HALF_HOUR, MONDAY)
    assert found == ["09:30+0545", "10:00+0545"]
    odd = Visit(duration=600, step=50 * 60)  # 24 h is no multiple of it: each day begins anew
    assert on_day(calendar(weekly=daily(time(0), time(2))), odd, MONDAY, days=2) == [
        *("00:00+0000", "00:50+0000", "01:40+0000"),
        *("00:00+0000", "00:50+0000", "01:40+0000"),
    ]


@pytest.mark.parametrize(
    ("zone", "day", "closes", "expected"),
    [
        (NEW_YORK, date(2027, 3, 14), time(4), ["01:00-0500", "01:30-0500", "03:00-0400", "03:30-0400"]),
        (BERLIN, date(2027, 3, 28), time(4), ["01:00+0100", "01:30+0100", "03:00+0200", "03:30+0200"]),
        (LORD_HOWE, date(2027, 10, 3), time(3, 30), ["01:00+1030", "01:30+1030", "02:30+1100", "03:00+1100"]),
        (
            NEW_YORK,
            date(2027, 11, 7),
            time(2, 30),
            ["01:00-0400", "01:30-0400", "01:00-0500", "01:30-0500", "02:00-0500"],
        ),
        (
            BERLIN,
            date(2027, 10, 31),
            time(3),
            ["01:00+0200", "01:30+0200", "02:00+0200", "02:30+0200", "02:00+0100", "02:30+0100"],
        ),
        (LORD_HOWE, date(2027, 4, 4), time(2, 30), ["01:00+1100", "01:30+1100", "01:30+1030", "02:00+1030"]),
    ],
)
def test_days_on_which_the_clocks_change(zone: ZoneInfo, day: date, closes: time, expected: list[str]) -> None:
    assert on_day(calendar(zone, daily(time(1), closes)), HALF_HOUR, day) == expected


def test_a_visit_over_the_change_lasts_its_length_in_real_time() -> None:
    spring = calendar(NEW_YORK, daily(time(1), time(4)))
    # 01:30-0500 plus an hour is 03:30-0400; 04:00 closes two real hours after 01:00.
    assert on_day(spring, HOUR, date(2027, 3, 14)) == ["01:00-0500", "01:30-0500", "03:00-0400"]


def test_an_edge_in_the_gap_moves_to_its_end() -> None:
    day = date(2027, 3, 14)
    assert on_day(calendar(NEW_YORK, daily(time(2, 30), time(4))), HALF_HOUR, day) == ["03:00-0400", "03:30-0400"]
    assert on_day(calendar(NEW_YORK, daily(time(1), time(2, 30))), HALF_HOUR, day) == ["01:00-0500", "01:30-0500"]
    assert on_day(calendar(NEW_YORK, daily(time(2), time(3))), HALF_HOUR, day) == []


@pytest.mark.parametrize("zone", [NEW_YORK, BERLIN, LORD_HOWE])
@pytest.mark.parametrize(
    "sunday",
    [date(2027, 3, 14), date(2027, 11, 7), date(2027, 3, 28), date(2027, 10, 31), date(2027, 4, 4), date(2027, 10, 3)],
)
def test_office_hours_read_the_same_on_each_day_of_a_week_with_a_change(zone: ZoneInfo, sunday: date) -> None:
    office = calendar(zone, daily(time(9), time(11)))
    for offset in range(-3, 4):
        found = on_day(office, HALF_HOUR, sunday + timedelta(days=offset))
        assert [start[:5] for start in found] == ["09:00", "09:30", "10:00", "10:30"]


def test_a_night_shift_runs_over_midnight_and_belongs_to_the_day_it_begins() -> None:
    night = calendar(weekly=[WeeklyHours(0, time(23), time(1), MONDAY)])
    assert on_day(night, HOUR, MONDAY, days=2) == ["23:00+0000", "23:30+0000", "00:00+0000"]
    assert on_day(night, HOUR, MONDAY + timedelta(days=1)) == ["00:00+0000"]
    last_monday = WeeklyHours(0, time(23), time(1), MONDAY, valid_to=MONDAY)
    assert on_day(calendar(weekly=[last_monday]), HOUR, MONDAY, days=30) == ["23:00+0000", "23:30+0000", "00:00+0000"]


def test_equal_opening_and_closing_is_a_whole_day_and_short_on_the_day_clocks_go_forward() -> None:
    around_the_clock = calendar(NEW_YORK, daily(time(0), time(0)))
    visit = Visit(3600, 3600)
    assert len(on_day(around_the_clock, visit, date(2027, 3, 13))) == 24
    assert len(on_day(around_the_clock, visit, date(2027, 3, 14))) == 23
    assert len(on_day(around_the_clock, visit, date(2027, 11, 7))) == 25


def test_every_second_week_counts_from_the_week_of_the_first_valid_day() -> None:
    wednesday = MONDAY + timedelta(days=2)
    rules = [WeeklyHours(day, time(9), time(10), wednesday, every_n_weeks=2) for day in (0, 4)]
    found = free_starts(calendar(weekly=rules), Visit(3600, 3600), utc(2027, 1, 1), utc(2027, 2, 8))
    days = [datetime.fromtimestamp(at, UTC).date().isoformat() for at in found]
    assert days == ["2027-01-08", "2027-01-18", "2027-01-22", "2027-02-01", "2027-02-05"]


def test_valid_dates_are_both_included() -> None:
    rules = [replace(rule, valid_to=date(2027, 1, 6)) for rule in daily(time(9), time(10), valid_from=date(2027, 1, 5))]
    found = free_starts(calendar(weekly=rules), Visit(3600, 3600), utc(2027, 1, 1), utc(2027, 2, 1))
    assert found == [utc(2027, 1, 5, 9), utc(2027, 1, 6, 9)]


def test_closed_days_and_closed_hours_win_over_extra_ones() -> None:
    extra = [DatedHours(MONDAY, MONDAY, time(18), time(20))]
    closed = [DatedHours(MONDAY, MONDAY, time(9, 30), time(19))]
    found = calendar(weekly=daily(time(9), time(12)), extra=extra, closed=closed)
    assert on_day(found, HALF_HOUR, MONDAY) == ["09:00+0000", "19:00+0000", "19:30+0000"]
    assert on_day(replace(found, closed=[DatedHours(MONDAY, MONDAY)]), HALF_HOUR, MONDAY) == []


def test_a_closing_is_about_calendar_days_so_it_cuts_a_night_shift_at_midnight() -> None:
    sunday = MONDAY - timedelta(days=1)
    night = calendar(
        weekly=daily(time(22), time(2), valid_from=sunday), closed=[DatedHours(MONDAY, MONDAY + timedelta(days=1))]
    )
    visit = Visit(3600, 3600)
    assert on_day(night, visit, sunday) == ["22:00+0000", "23:00+0000"]
    assert on_day(night, visit, MONDAY, days=2) == []
    assert on_day(night, visit, MONDAY + timedelta(days=2))[:2] == ["00:00+0000", "01:00+0000"]


def test_instants_at_which_the_place_is_shut_are_not_open() -> None:
    nine = utc(2027, 1, 4, 9)
    office = replace(calendar(weekly=daily(time(9), time(12))), shut=[(nine + 1800, nine + 5400)])
    assert on_day(office, HALF_HOUR, MONDAY) == ["09:00+0000", "10:30+0000", "11:00+0000", "11:30+0000"]


def test_a_closing_without_end_lasts_until_midnight_and_without_begin_from_midnight() -> None:
    office = calendar(weekly=daily(time(9), time(12)))
    late = replace(office, closed=[DatedHours(MONDAY, MONDAY, opens=time(10))])
    early = replace(office, closed=[DatedHours(MONDAY, MONDAY, closes=time(11))])
    assert on_day(late, HOUR, MONDAY) == ["09:00+0000"]
    assert on_day(early, HOUR, MONDAY) == ["11:00+0000"]


def test_a_visit_has_to_stay_in_one_lane() -> None:
    nine = utc(2027, 1, 4, 9)
    taken = [Taken(0, nine, nine + 1800), Taken(1, nine + 1800, nine + 3600)]
    room = calendar(weekly=daily(time(9), time(11)), taken=taken, capacity=2)
    assert on_day(room, HALF_HOUR, MONDAY) == ["09:00+0000", "09:30+0000", "10:00+0000", "10:30+0000"]
    # At no instant are both lanes taken, yet no lane is free from nine to ten.
    assert on_day(room, HOUR, MONDAY) == ["09:30+0000", "10:00+0000"]


def test_an_overbooked_visit_counts_against_the_capacity() -> None:
    nine = utc(2027, 1, 4, 9)
    for capacity in (1, 2):
        taken = [Taken(capacity + n, nine, nine + 3600) for n in range(capacity)]
        room = calendar(weekly=daily(time(9), time(11)), taken=taken, capacity=capacity)
        assert on_day(room, HALF_HOUR, MONDAY) == ["10:00+0000", "10:30+0000"]
        assert len(on_day(replace(room, taken=taken[1:]), HALF_HOUR, MONDAY)) == 4


def test_empty_allocations_take_nothing() -> None:
    nine = utc(2027, 1, 4, 9)
    for capacity in (1, 2):
        room = calendar(weekly=daily(time(9), time(10)), taken=[Taken(0, nine + 60, nine + 60)], capacity=capacity)
        assert len(on_day(room, HALF_HOUR, MONDAY)) == 2


def test_free_times_are_sorted_by_start_then_provider_and_listed_once() -> None:
    one = calendar(weekly=daily(time(9), time(10)))
    other = replace(one, provider=UUID(int=0))
    same_in_berlin = replace(one, zone=BERLIN, weekly=daily(time(10), time(11, 30)))
    day = utc(2027, 1, 4)
    found = free_times([one, other, same_in_berlin], HALF_HOUR, day, day + DAY)
    assert [((at - day) // 60, found.provider.int) for at, found in found] == [
        *((540, 0), (540, 1)),
        *((570, 0), (570, 1)),
        (600, 1),
    ]


def test_fits_asks_about_hours_and_taken_time_but_not_about_alignment() -> None:
    nine = utc(2027, 1, 4, 9)
    office = calendar(weekly=daily(time(9), time(11)), taken=[Taken(0, nine + 3600, nine + 5400)])
    assert fits(office, HALF_HOUR, nine + 420)
    assert not fits(office, HALF_HOUR, nine - 60)
    assert not fits(office, HALF_HOUR, nine + 1801)
    assert fits(office, HALF_HOUR, nine + 5400)
    assert not fits(office, HALF_HOUR, nine + 5401)


def test_bookable_rounds_the_notice_up() -> None:
    now = datetime(2027, 1, 4, 9, 0, 0, 500_000, tzinfo=UTC)
    assert bookable(now, timedelta(hours=1), timedelta(days=2)) == (utc(2027, 1, 4, 10, 0, 1), utc(2027, 1, 6, 9, 0, 1))


@pytest.mark.parametrize("wrong", [{"duration": 0}, {"step": 0}, {"buffer_before": -1}, {"buffer_after": -1}])
def test_a_visit_without_length_or_with_negative_buffers_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="positive duration"):
        Visit(**{"duration": 1800, "step": 1800, **wrong})
