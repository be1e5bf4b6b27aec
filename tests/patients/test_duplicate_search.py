"""Which charts are taken for one person's: what the score says of two, and how often it is right in a practice."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest

from patients import duplicate_search
from patients.duplicate_search import likely_pairs
from patients.likeness import Person, likeness
from patients.models import ContactPoint, DuplicateCandidate, Patient, PatientIdentifier
from patients.services import duplicates
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.factories.patients import ContactPointFactory, PatientFactory, PatientIdentifierFactory
from tests.patients.conftest import SETUP
from tests.patients.twice_registered import Chart, Registry

ADA = Person("Ada", "Byron", "", date(1984, 7, 30), "day", "female")


def like(other: Person, *shared: str, told_apart: bool = False) -> tuple[int, list[str]]:
    found = likeness(ADA, other, shared=shared, told_apart=told_apart)
    assert likeness(other, ADA, shared=shared, told_apart=told_apart) == found
    return found.score, [str(each) for each in found.matched]


def person(**differing: Any) -> Person:
    values = {name: getattr(ADA, name) for name in Person.__slots__}
    return Person(**{**values, **differing})


@pytest.mark.parametrize(
    ("other", "shared", "expected"),
    [
        (person(), (), (70, ["name", "birth_date"])),
        (person(given_name="Byron", family_name="Áda"), (), (70, ["name", "birth_date"])),
        (person(given_name="Augusta", preferred_name="Ada"), (), (70, ["name", "birth_date"])),
        (person(family_name="Byrno"), (), (70, ["similar_name", "birth_date"])),
        (person(family_name="Byron-King"), (), (70, ["similar_name", "birth_date"])),
        (person(family_name="Zhang"), ("phone",), (70, ["birth_date", "phone"])),
        (person(birth_date=date(1984, 7, 31)), ("phone",), (75, ["name", "similar_birth_date", "phone"])),
        (person(birth_date=None), ("phone",), (60, ["name", "phone"])),
        (person(birth_date=date(1984, 1, 1), birth_date_precision="year"), (), (50, ["name", "similar_birth_date"])),
        (person(birth_date=date(1984, 8, 1), birth_date_precision="month"), (), (15, ["name"])),
        (person(birth_date=date(1955, 2, 3)), ("phone", "email"), (45, ["name", "phone", "email"])),
        (person(given_name="Zoe"), ("phone", "email"), (55, ["birth_date", "phone", "email"])),
        (person(given_name="Zoe"), ("identifier",), (70, ["birth_date", "identifier"])),
        (person(sex="male"), (), (60, ["name", "birth_date"])),
        (person(), ("phone", "email", "identifier"), (100, ["name", "birth_date", "phone", "email", "identifier"])),
    ],
)
def test_score_is_the_sum_of_what_is_shared(other: Person, shared: tuple[str, ...], expected: Any) -> None:
    assert like(other, *shared) == expected


def test_numbers_that_differ_and_a_reason_count_against() -> None:
    one, other = (person(numbers=frozenset({("SS", number)})) for number in "ab")
    assert likeness(one, other, shared=(), told_apart=False).score == 40
    assert likeness(one, ADA, shared=(), told_apart=False).score == 70
    assert like(person(), told_apart=True)[0] == 55


@pytest.mark.django_db
def test_pairs_are_found_by_what_they_share(in_practice: Practice) -> None:
    ada, again, _, son = (
        PatientFactory.create(given_name="Ada", family_name=family, birth_date=born, duplicate_reason=reason)
        for family, born, reason in (
            *(("Byron", "1984-07-30", ""), ("Byrno", "1984-07-30", ""), ("Byron", "1984-07-30", "A cousin")),
            ("Byron", None, ""),
        )
    )
    for patient in (ada, son):
        ContactPointFactory.create(patient=patient)
        PatientIdentifierFactory.create(patient=patient, value="1" if patient == ada else "2")
    found = {(pair.first, pair.second): pair.likeness.score for pair in likely_pairs(9)}
    assert found == {(ada.pk, again.pk): 70}  # the third was told apart from both, `son` has another number
    assert len(likely_pairs(0)) == 0
    assert duplicates.find_duplicates() == 1
    assert duplicates.find_duplicates() == 0
    PatientIdentifier.objects.all().delete()
    assert [(pair.first, pair.second) for pair in likely_pairs(9)] == [(ada.pk, son.pk)]
    Patient.objects.filter(pk=son.pk).update(status="merged", merged_into=ada.pk)
    assert likely_pairs(9) == []


@pytest.mark.django_db
def test_what_many_share_says_nothing(in_practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    patients = [PatientFactory.create(given_name="Ada", family_name="Byron", birth_date=None) for _ in range(3)]
    for patient in patients:
        ContactPointFactory.create(patient=patient)
    assert len(likely_pairs(9)) == 3
    monkeypatch.setattr(duplicate_search, "MOST_SHARING", 2)
    assert likely_pairs(9) == []


@pytest.mark.django_db
def test_no_more_are_added_than_people_look_at(in_practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        PatientFactory.create(given_name="Ada", family_name="Byron", birth_date="1984-07-30")
    monkeypatch.setattr(duplicates, "MOST_OPEN", 4)
    assert [duplicates.find_duplicates() for _ in range(2)] == [4, 0]
    duplicates.dismiss(candidate=DuplicateCandidate.objects.all()[0], by=SETUP)
    assert [duplicates.find_duplicates() for _ in range(2)] == [1, 0]


@pytest.mark.django_db
def test_another_practices_charts_are_not_compared(practice: Practice, other_practice: Practice) -> None:
    for each in (practice, other_practice):
        with practice_scope(each, actor=SETUP):
            PatientFactory.create(given_name="Ada", family_name="Byron", birth_date="1984-07-30")
    with practice_scope(practice, actor=SETUP):
        assert likely_pairs(9) == []


def registered(charts: list[Chart]) -> dict[int, set[UUID]]:
    """Adds them to the active practice; person -> their charts."""
    rows = [_patient(chart) for chart in charts]
    Patient.objects.bulk_create(rows)
    both = list(zip(charts, rows, strict=True))
    ContactPoint.objects.bulk_create(
        ContactPoint(patient=row, kind=kind, value=getattr(chart, kind))
        for chart, row in both
        for kind in ("phone", "email")
        if getattr(chart, kind)
    )
    PatientIdentifier.objects.bulk_create(
        PatientIdentifier(patient=row, type="SS", value=chart.number) for chart, row in both if chart.number
    )
    of_person: dict[int, set[UUID]] = defaultdict(set)
    for chart, row in both:
        of_person[chart.person].add(row.pk)
    return of_person


def _patient(chart: Chart) -> Patient:
    names = {"given_name": chart.given_name, "family_name": chart.family_name}
    return Patient(**names, birth_date=chart.birth_date, sex=chart.sex)


@pytest.mark.django_db
def test_precision_and_recall_in_a_practice(in_practice: Practice) -> None:
    charts = list(Registry("duplicates").charts(900))
    true = {pair for them in registered(charts).values() for pair in combinations(sorted(them), 2)}
    found = {(pair.first, pair.second) for pair in likely_pairs(1000)}
    right = len(found & true)
    assert len(true) > 40
    precision, recall = right / len(found), right / len(true)
    assert (precision >= 0.9, recall >= 0.9) == (True, True), (len(found), right, len(true))
