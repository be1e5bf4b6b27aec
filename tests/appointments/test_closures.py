from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from appointments.services.rules import check_closures
from config.api.problem import ValidationProblem
from practices.models import Closure, Location

SUNDAY = date(2027, 11, 7)  # New York's clocks go back from two to one
MIDNIGHT = datetime(2027, 11, 7, 4, tzinfo=UTC)


def is_open(clinic: Any, start: datetime, minutes: int) -> bool:
    try:
        check_closures(start, start + timedelta(minutes=minutes), clinic.location, "America/New_York")
    except ValidationProblem as refusal:
        return [error.code for error in refusal.errors] != ["closed"]
    return True


def test_a_closed_day_lasts_from_midnight_to_midnight_on_the_wall(in_clinic: Any) -> None:
    Closure.objects.create(name="Sunday", start_date=SUNDAY, end_date=SUNDAY)
    day = timedelta(hours=25)
    assert is_open(in_clinic, MIDNIGHT - timedelta(minutes=30), 30)
    assert not is_open(in_clinic, MIDNIGHT - timedelta(minutes=30), 31)
    assert not is_open(in_clinic, MIDNIGHT + day - timedelta(minutes=1), 30)
    assert is_open(in_clinic, MIDNIGHT + day, 30)


def test_closed_hours_that_happen_twice_are_closed_both_times(in_clinic: Any) -> None:
    Closure.objects.create(name="Clock", start_date=SUNDAY, end_date=SUNDAY, start_time=time(1), end_time=time(1, 30))
    one = MIDNIGHT + timedelta(hours=1)
    found = [is_open(in_clinic, one + timedelta(minutes=minutes), 30) for minutes in range(-30, 120, 30)]
    assert found == [True, False, True, False, True]
    assert not is_open(in_clinic, one + timedelta(minutes=45), 30)  # into the second one o'clock


def test_another_location_s_closure_is_not_ours(in_clinic: Any) -> None:
    elsewhere = Location.objects.create(name="Elsewhere")
    Closure.objects.create(name="Sunday", location=elsewhere, start_date=SUNDAY, end_date=SUNDAY)
    assert is_open(in_clinic, MIDNIGHT, 30)
