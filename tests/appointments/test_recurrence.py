"""The rules that are read, and all that is refused instead of being read as something else."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.recurrence import LONGEST, MOST, Recurrence, RecurrenceError

MONDAY = date(2027, 3, 1)


def days(rule: str, first: date = MONDAY) -> list[str]:
    return [f"{day:%m-%d}" for day in Recurrence.parse(rule).dates(first)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY;COUNT=3", ["03-01", "03-02", "03-03"]),
        ("FREQ=DAILY;INTERVAL=10;UNTIL=20270321", ["03-01", "03-11", "03-21"]),
        ("FREQ=WEEKLY;COUNT=3", ["03-01", "03-08", "03-15"]),
        ("FREQ=WEEKLY;BYDAY=WE,MO;COUNT=4", ["03-01", "03-03", "03-08", "03-10"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;COUNT=4", ["03-01", "03-07", "03-15", "03-21"]),
        ("FREQ=MONTHLY;COUNT=3", ["03-01", "04-01", "05-01"]),
        ("FREQ=MONTHLY;BYMONTHDAY=1,-1;COUNT=4", ["03-01", "03-31", "04-01", "04-30"]),
        ("FREQ=MONTHLY;BYDAY=1MO;COUNT=3", ["03-01", "04-05", "05-03"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1;COUNT=4", ["03-01", "03-31", "04-01", "04-30"]),
        ("RRULE:FREQ=DAILY;COUNT=1", ["03-01"]),
    ],
)
def test_the_days_of_a_rule(rule: str, expected: list[str]) -> None:
    assert days(rule) == expected


def test_a_month_without_the_day_is_left_out() -> None:
    assert days("FREQ=MONTHLY;COUNT=3", date(2027, 1, 31)) == ["01-31", "03-31", "05-31"]
    assert days("FREQ=MONTHLY;INTERVAL=12;COUNT=2", date(2024, 2, 29)) == ["02-29", "02-29"]


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "WEEKLY",
        "FREQ=WEEKLY",
        "FREQ=YEARLY;COUNT=2",
        "FREQ=HOURLY;COUNT=2",
        "FREQ=weekly;COUNT=2",
        "FREQ=WEEKLY;COUNT=2;UNTIL=20270401",
        "FREQ=WEEKLY;COUNT=2;COUNT=3",
        "FREQ=WEEKLY;COUNT=",
        "FREQ=WEEKLY;COUNT=0",
        "FREQ=WEEKLY;COUNT=-1",
        "FREQ=WEEKLY;COUNT=201",
        "FREQ=WEEKLY;COUNT=٣",  # a digit, but not one of RFC 5545's
        "FREQ=WEEKLY;COUNT=2.0",
        "FREQ=WEEKLY;INTERVAL=0;COUNT=2",
        "FREQ=WEEKLY;INTERVAL=53;COUNT=2",
        "FREQ=WEEKLY;UNTIL=20270401T000000Z",
        "FREQ=WEEKLY;UNTIL=20270230",
        "FREQ=WEEKLY;BYDAY=MO,MO;COUNT=2",
        "FREQ=WEEKLY;BYDAY=1MO;COUNT=2",
        "FREQ=WEEKLY;BYDAY=XX;COUNT=2",
        "FREQ=WEEKLY;BYMONTHDAY=1;COUNT=2",
        "FREQ=DAILY;BYDAY=MO;COUNT=2",
        "FREQ=MONTHLY;BYDAY=MO;COUNT=2",
        "FREQ=MONTHLY;BYDAY=6MO;COUNT=2",
        "FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=1;COUNT=2",
        "FREQ=MONTHLY;BYSETPOS=1;COUNT=2",
        "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=1;COUNT=2",
        "FREQ=MONTHLY;BYMONTHDAY=32;COUNT=2",
        "FREQ=MONTHLY;BYMONTHDAY=0;COUNT=2",
        "FREQ=MONTHLY;BYMONTH=3;COUNT=2",
        "FREQ=WEEKLY;WKST=SU;COUNT=2",
        "FREQ=WEEKLY;COUNT=2;",
        "FREQ=WEEKLY;COUNT=2\nEXDATE=20270301",
    ],
)
def test_whatever_else_is_no_rule(rule: str) -> None:
    with pytest.raises(RecurrenceError):
        Recurrence.parse(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=WEEKLY;BYDAY=TU;COUNT=2",  # begins on another day
        "FREQ=DAILY;UNTIL=20270228",  # has ended before
        "FREQ=DAILY;UNTIL=20270918",  # 202 days
        "FREQ=DAILY;INTERVAL=52;UNTIL=20330101",
        "FREQ=MONTHLY;INTERVAL=12;COUNT=7",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31;COUNT=7",
    ],
)
def test_a_rule_that_begins_elsewhere_or_goes_on_for_too_long(rule: str) -> None:
    with pytest.raises(RecurrenceError):
        Recurrence.parse(rule).dates(MONDAY)


def test_a_rule_of_days_that_never_come_ends() -> None:
    with pytest.raises(RecurrenceError):
        Recurrence.parse("FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30;COUNT=2").dates(date(2027, 2, 1))


WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@given(
    first=st.dates(date(2026, 1, 1), date(2028, 12, 31)),
    interval=st.integers(1, 8),
    others=st.sets(st.sampled_from(WEEKDAYS), max_size=4),
    count=st.integers(1, 40),
)
def test_weekly_days_are_what_counting_by_hand_gives(first: date, interval: int, others: set[str], count: int) -> None:
    wanted = others | {WEEKDAYS[first.weekday()]}
    rule = Recurrence.parse(f"FREQ=WEEKLY;INTERVAL={interval};BYDAY={','.join(sorted(wanted))};COUNT={count}")
    monday, day = first - timedelta(days=first.weekday()), first
    by_hand: list[date] = []
    while len(by_hand) < count and day <= first + LONGEST:
        if WEEKDAYS[day.weekday()] in wanted and (day - monday).days // 7 % interval == 0:
            by_hand.append(day)
        day += timedelta(days=1)
    if len(by_hand) == count:
        assert rule.dates(first) == by_hand
        assert Recurrence.parse(str(rule)) == rule


def test_what_is_written_is_read_again_the_same() -> None:
    text = "COUNT=4;BYSETPOS=-1;BYDAY=FR,+MO;INTERVAL=3;FREQ=MONTHLY"
    assert str(Recurrence.parse(text.replace("+", ""))) == "FREQ=MONTHLY;INTERVAL=3;BYDAY=FR,MO;BYSETPOS=-1;COUNT=4"
    assert len(Recurrence.parse(f"FREQ=DAILY;COUNT={MOST}").dates(MONDAY)) == MOST
