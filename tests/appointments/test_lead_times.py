from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from appointments.lead_times import QuietHours, due_at

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")


def local(zone: ZoneInfo, *parts: int, fold: int = 0) -> datetime:
    year, month, day, hour, minute = parts
    return datetime(year, month, day, hour, minute, tzinfo=zone, fold=fold)


@pytest.mark.parametrize(
    ("start", "days", "minutes", "expected"),
    [
        (local(NEW_YORK, 2027, 3, 15, 9, 0), 1, 0, local(NEW_YORK, 2027, 3, 14, 9, 0)),
        (local(NEW_YORK, 2027, 3, 14, 9, 0), 1, 0, local(NEW_YORK, 2027, 3, 13, 9, 0)),
        (local(NEW_YORK, 2027, 3, 15, 2, 30), 1, 0, local(NEW_YORK, 2027, 3, 14, 3, 30)),  # was skipped
        (local(NEW_YORK, 2027, 11, 7, 9, 0), 1, 0, local(NEW_YORK, 2027, 11, 6, 9, 0)),
        (local(NEW_YORK, 2027, 11, 7, 1, 30, fold=1), 0, 60, local(NEW_YORK, 2027, 11, 7, 1, 30)),
        (local(BERLIN, 2027, 3, 28, 9, 0), 7, 0, local(BERLIN, 2027, 3, 21, 9, 0)),
        (local(BERLIN, 2027, 10, 31, 9, 0), 1, 90, local(BERLIN, 2027, 10, 30, 7, 30)),
        (local(LORD_HOWE, 2027, 4, 4, 9, 0), 1, 0, local(LORD_HOWE, 2027, 4, 3, 9, 0)),
        (local(LORD_HOWE, 2027, 10, 3, 9, 0), 1, 0, local(LORD_HOWE, 2027, 10, 2, 9, 0)),
    ],
)
def test_days_are_of_the_calendar_and_minutes_of_real_time(
    start: datetime, days: int, minutes: int, expected: datetime
) -> None:
    zone = start.tzinfo
    assert isinstance(zone, ZoneInfo)
    due = due_at(start.astimezone(UTC), zone, days=days, minutes=minutes)
    assert due.astimezone(UTC) == expected.astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "minutes", "expected"),
    [
        ((10, 12, 0), 60, (10, 11, 0)),  # not quiet
        ((10, 9, 0), 120, (10, 8, 0)),  # to the end of the quiet hours
        ((10, 8, 0), 60, (9, 21, 0)),  # the end is too late: to their beginning
        ((10, 23, 0), 60, (10, 21, 0)),
        ((10, 10, 0), 12 * 60, (10, 8, 0)),
    ],
)
def test_quiet_hours_over_midnight(start: tuple[int, int, int], minutes: int, expected: tuple[int, int, int]) -> None:
    quiet = QuietHours(time(21), time(8), BERLIN)
    due = due_at(datetime(2027, 5, *start, tzinfo=BERLIN), BERLIN, days=0, minutes=minutes, quiet=quiet)
    assert due == datetime(2027, 5, *expected, tzinfo=BERLIN)


def test_quiet_hours_within_a_day_on_the_patient_s_clock() -> None:
    quiet = QuietHours(time(12), time(14), NEW_YORK)
    start = datetime(2027, 5, 10, 20, 0, tzinfo=BERLIN)  # two in the afternoon in New York
    assert due_at(start, BERLIN, days=0, minutes=60, quiet=quiet) == datetime(2027, 5, 10, 12, tzinfo=NEW_YORK)
    assert due_at(start, BERLIN, days=0, minutes=180, quiet=quiet) == start - timedelta(hours=3)
    assert due_at(start, BERLIN, days=0, minutes=0, quiet=quiet) == start


def test_quiet_hours_without_length_are_none() -> None:
    start = datetime(2027, 5, 10, 20, 0, tzinfo=BERLIN)
    quiet = QuietHours(time(19), time(19), BERLIN)
    assert due_at(start, BERLIN, days=0, minutes=60, quiet=quiet) == datetime(2027, 5, 10, 19, tzinfo=BERLIN)
