"""Until when somebody is a minor, and who decides for them: by the practice's calendar."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from patients.minors import age_on, guardians_on, is_minor_on, practice_day
from patients.models import Patient, RelatedPerson
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.admin.pages import staff, url
from tests.factories.patients import PatientFactory
from tests.patients.conftest import SETUP
from tests.rows import make_row

NOBODYS = UUID(int=0)
"""A patient that isn't saved needs no practice, but would look for the active one."""


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        (date(2008, 11, 27), date(2026, 11, 26), 17),
        (date(2008, 11, 27), date(2026, 11, 27), 18),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 28), 19),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
    ],
)
def test_age_is_in_whole_years(born: date, day: date, age: int) -> None:
    assert age_on(born, day) == age
    assert is_minor_on(Patient(birth_date=born, practice_id=NOBODYS), day) is (age < 18)


@pytest.mark.parametrize(
    ("precision", "last_day"), [("year", date(2026, 12, 30)), ("month", date(2026, 2, 28)), ("day", date(2026, 1, 31))]
)
def test_minor_until_it_is_sure(precision: str, last_day: date) -> None:
    patient = Patient(birth_date=date(2008, 2, 1), birth_date_precision=precision, practice_id=NOBODYS)
    assert is_minor_on(patient, last_day)
    assert not is_minor_on(patient, date.fromordinal(last_day.toordinal() + 1))
    assert not is_minor_on(Patient(birth_date=None, practice_id=NOBODYS), last_day)


@pytest.mark.django_db
@pytest.mark.parametrize(("hour", "day"), [(4, 26), (5, 27)])
def test_birthday_begins_at_the_practices_midnight(
    in_practice: Practice, monkeypatch: Any, hour: int, day: int
) -> None:
    """In New York, five hours behind."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 11, 27, hour, tzinfo=UTC))
    assert practice_day() == date(2026, 11, day)


@pytest.mark.django_db
def test_guardians_are_those_of_the_day(practice: Practice) -> None:
    today = date(2026, 11, 27)
    with practice_scope(practice, actor=SETUP):
        child = PatientFactory.create(birth_date=date(2020, 1, 1))
        common = {"patient": child, "guardian": True, "relationship": "MTH"}
        for name, authority, start, end in (
            ("Treating", "treatment", None, None),
            ("Full", "full", today, today),
            ("Former", "full", None, date(2026, 11, 26)),
            ("Later", "full", date(2026, 11, 28), None),
        ):
            period = {"period_start": start, "period_end": end}
            make_row(RelatedPerson, **common, given_name=name, family_name="", authority=authority, **period)
        make_row(RelatedPerson, patient=child, guardian=False, authority="full", relationship="MTH")
        assert [each.given_name for each in guardians_on(child, today)] == ["Full", "Treating"]
    page = staff("front_desk", practice).get(url(Patient, "change", child.pk)).content.decode()
    assert "Treating (may consent to treatment)" in page
