from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.local_time import (
    DAY,
    AmbiguousLocalTime,
    LocalTimeError,
    NonexistentLocalTime,
    UnknownTimeZone,
    ceil_seconds,
    days_of,
    floor_seconds,
    instant,
    instants_in,
    offset_spans,
    resolve,
    time_zone,
    wall_seconds,
)

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")

wall_time = datetime.fromisoformat  # of a text without an offset: naive, as the clock shows it

ZONES = [
    *("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Chatham", "UTC"),
    *("America/Sao_Paulo", "Africa/Casablanca", "Pacific/Apia", "Asia/Tehran", "America/Havana", "Asia/Beirut"),
]


@pytest.mark.parametrize(
    ("zone", "wall"),
    [
        (NEW_YORK, wall_time("2027-03-14 02:30")),
        (NEW_YORK, wall_time("2027-03-14 02:00")),
        (BERLIN, wall_time("2027-03-28 02:59")),
        (LORD_HOWE, wall_time("2027-10-03 02:15")),
    ],
)
def test_a_skipped_time_is_refused(zone: ZoneInfo, wall: datetime) -> None:
    with pytest.raises(NonexistentLocalTime) as refusal:
        resolve(wall, zone)
    assert refusal.value.code == "nonexistent_local_time"


@pytest.mark.parametrize(
    ("zone", "wall", "first", "second"),
    [
        (NEW_YORK, wall_time("2027-11-07 01:30"), -4, -5),
        (BERLIN, wall_time("2027-10-31 02:00"), 2, 1),
        (LORD_HOWE, wall_time("2027-04-04 01:45"), 11, 10.5),
    ],
)
def test_a_time_that_happens_twice_needs_its_offset(
    zone: ZoneInfo, wall: datetime, first: float, second: float
) -> None:
    with pytest.raises(AmbiguousLocalTime) as refusal:
        resolve(wall, zone)
    assert refusal.value.code == "ambiguous_local_time"
    for hours in (first, second):
        assert resolve(wall, zone, timedelta(hours=hours)) == wall.replace(tzinfo=UTC) - timedelta(hours=hours)


@pytest.mark.parametrize(
    "wall", [wall_time("2027-03-14 01:59"), wall_time("2027-03-14 03:00"), wall_time("2027-11-07 02:00")]
)
def test_times_beside_a_change_are_plain(wall: datetime) -> None:
    assert resolve(wall, NEW_YORK).astimezone(NEW_YORK).replace(tzinfo=None) == wall


def test_an_offset_the_zone_does_not_have_then_is_refused() -> None:
    with pytest.raises(NonexistentLocalTime):
        resolve(wall_time("2027-07-01 09:00"), NEW_YORK, timedelta(hours=-5))


def test_an_instant_with_offset_is_taken_as_it_is_and_a_naive_one_as_wall_time() -> None:
    assert instant(datetime(2027, 3, 14, 2, 30, tzinfo=UTC), NEW_YORK) == datetime(2027, 3, 14, 2, 30, tzinfo=UTC)
    assert instant(wall_time("2027-07-01 09:00"), NEW_YORK) == datetime(2027, 7, 1, 13, 0, tzinfo=UTC)
    with pytest.raises(LocalTimeError):
        instant(wall_time("2027-03-14 02:30"), NEW_YORK)


@pytest.mark.parametrize("name", ["", "Mars/Base", "../../etc/passwd", "America", "\x00", "europe/berlin", "/etc"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownTimeZone):
        time_zone(name)


def test_a_known_zone_is_found() -> None:
    assert time_zone("Australia/Lord_Howe") == LORD_HOWE


def test_seconds_round_outwards() -> None:
    at = datetime(2027, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert ceil_seconds(at) == floor_seconds(at) + 1
    assert ceil_seconds(at.replace(microsecond=0)) == floor_seconds(at)
    assert floor_seconds(at) == int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())


def test_wall_seconds_count_on_the_clock() -> None:
    day = date(2027, 3, 14).toordinal()
    assert wall_seconds(day, time(2, 30, 5)) % DAY == 2 * 3600 + 30 * 60 + 5
    assert wall_seconds(day, time(0)) == floor_seconds(datetime(2027, 3, 14, tzinfo=UTC))


def test_days_begin_with_the_night_before() -> None:
    start = floor_seconds(datetime(2027, 3, 14, 3, tzinfo=UTC))  # the 13th in New York
    first, last = days_of(offset_spans(NEW_YORK, start, start + DAY))
    assert (date.fromordinal(first), date.fromordinal(last)) == (date(2027, 3, 12), date(2027, 3, 14))


def test_lord_howe_changes_by_half_an_hour() -> None:
    start = floor_seconds(datetime(2027, 4, 3, 12, tzinfo=UTC))
    first, second = offset_spans(LORD_HOWE, start, start + DAY)
    assert (first.offset, second.offset) == (11 * 3600, 10 * 3600 + 1800)
    assert first.end == second.start == floor_seconds(datetime(2027, 4, 3, 15, tzinfo=UTC))


def test_a_window_inside_the_repeated_hour_is_found_twice_and_inside_the_gap_never() -> None:
    start = floor_seconds(datetime(2027, 11, 7, 0, tzinfo=UTC))
    day = date(2027, 11, 7).toordinal()
    window = (wall_seconds(day, time(1, 15)), wall_seconds(day, time(1, 45)))
    found = instants_in([window], offset_spans(NEW_YORK, start, start + DAY))
    assert [(a - start) / 60 for a, _ in found] == [5 * 60 + 15, 6 * 60 + 15]
    assert [b - a for a, b in found] == [1800, 1800]

    start = floor_seconds(datetime(2027, 3, 14, 0, tzinfo=UTC))
    day = date(2027, 3, 14).toordinal()
    window = (wall_seconds(day, time(2, 0)), wall_seconds(day, time(3, 0)))
    assert instants_in([window], offset_spans(NEW_YORK, start, start + DAY)) == []


@given(
    st.sampled_from(ZONES),
    st.datetimes(wall_time("1975-01-01"), wall_time("2060-01-01"), timezones=st.just(UTC)),
    st.timedeltas(timedelta(seconds=1), timedelta(days=400)),
)
def test_spans_cover_the_stretch_and_hold_the_true_offset(name: str, at: datetime, length: timedelta) -> None:
    zone = ZoneInfo(name)
    start, end = floor_seconds(at), ceil_seconds(at + length)
    spans = offset_spans(zone, start, end)
    assert (spans[0].start, spans[-1].end) == (start, end)
    assert all(one.end == two.start and one.offset != two.offset for one, two in pairwise(spans))
    for span in spans:
        for moment in (span.start, (span.start + span.end) // 2, span.end - 1):
            offset = datetime.fromtimestamp(moment, zone).utcoffset()
            assert offset == timedelta(seconds=span.offset)


@given(st.sampled_from(ZONES), st.datetimes(wall_time("2020-01-01"), wall_time("2040-01-01")))
def test_a_wall_time_that_resolves_reads_the_same_on_the_clock(name: str, wall: datetime) -> None:
    zone = ZoneInfo(name)
    try:
        found = resolve(wall, zone)
    except AmbiguousLocalTime:
        assert wall.replace(tzinfo=zone, fold=0).utcoffset() != wall.replace(tzinfo=zone, fold=1).utcoffset()
    except NonexistentLocalTime:
        assert wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall
    else:
        assert found.astimezone(zone).replace(tzinfo=None) == wall
