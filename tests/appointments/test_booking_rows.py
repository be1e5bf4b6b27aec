from datetime import date, time
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from appointments import booking_rows
from appointments.booking_rows import read_named, read_terms
from appointments.free_times import DatedHours
from practices.models import Closure, PracticePolicy, Resource
from practices.services import create_practice
from practices.tenancy import Actor, practice_scope
from tests.appointments.conftest import SETUP, tomorrow_at


def named(clinic: Any, **others: UUID | None) -> dict[str, Any]:
    ids = {
        "patient": clinic.patient.pk,
        "appointment_type": clinic.visit.pk,
        "provider": clinic.provider.pk,
        "location": clinic.location.pk,
    }
    return read_named(**{**ids, **others}, by=SETUP)


def loaded(row: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_") and name != "loaded_values"}


@pytest.mark.parametrize("columns", [booking_rows._OF_NAMED, booking_rows._OF_TERMS])
def test_columns_are_in_the_order_of_their_models(columns: booking_rows.Columns) -> None:
    for model, names in columns:
        assert list(names) == [field.attname for field in model._meta.concrete_fields if field.attname in names]


def test_what_ids_name_is_what_their_tables_hold(in_clinic: Any, django_assert_num_queries: Any) -> None:
    in_clinic.visit.required_resource_kinds, in_clinic.location.time_zone = ["room"], "Europe/Berlin"
    in_clinic.visit.save()
    in_clinic.location.save()
    found = named(in_clinic)
    provider, location = found["provider"], found["location"]
    with django_assert_num_queries(0):
        rows = [*found.values(), provider.membership, location.practice]
        values = [loaded(row) for row in rows]
    assert values == [
        {name: getattr(type(row)._base_manager.get(pk=row.pk), name) for name in shown}
        for row, shown in zip(rows, values, strict=True)
    ]
    assert {type(row): set(shown) for row, shown in zip(rows, values, strict=True)} == {
        model: set(names) for model, names in booking_rows._OF_NAMED
    }


def test_what_another_practice_has_is_not_there(clinic: Any) -> None:
    other = create_practice(by=SETUP, slug="maple", name="Maple", time_zone="UTC")
    with practice_scope(other, actor=SETUP):
        assert set(named(clinic).values()) == {None}


@pytest.mark.parametrize("change", [{"restricted": True}, {"erased_at": timezone.now()}])
def test_patient_whom_the_caller_cannot_see_is_not_there(in_clinic: Any, change: dict[str, Any]) -> None:
    type(in_clinic.patient).objects.filter(pk=in_clinic.patient.pk).update(**change)
    ids = dict.fromkeys(("appointment_type", "provider", "location"))
    desk = Actor.user(in_clinic.user.pk, ("front_desk",))
    assert read_named(patient=in_clinic.patient.pk, **ids, by=desk)["patient"] is None


def test_terms_are_the_policy_the_calendar_and_the_closures_around(in_clinic: Any) -> None:
    start = tomorrow_at(15)
    Closure.objects.create(name="Stocktaking", start_date=start, end_date=start, start_time=time(9), end_time=time(10))
    Closure.objects.create(
        name="Elsewhere", location=type(in_clinic.location).objects.create(name="Far"), start_date=start, end_date=start
    )
    Closure.objects.create(name="Long ago", start_date=date(2020, 1, 1), end_date=date(2020, 1, 2))
    terms = read_terms(in_clinic.provider, in_clinic.location, start)
    assert terms.closures == [DatedHours(start.date(), start.date(), time(9), time(10))]
    assert terms.calendar is not None
    assert loaded(terms.calendar) == {
        name: getattr(in_clinic.calendar, name) for _, names in booking_rows._OF_TERMS for name in names
    }
    Resource.objects.filter(pk=in_clinic.calendar.pk).update(active=False)
    PracticePolicy.objects.all().update(min_notice_minutes=7, horizon_days=11)
    terms = read_terms(in_clinic.provider, in_clinic.location, start)
    assert (terms.min_notice_minutes, terms.horizon_days, terms.calendar) == (7, 11, None)
    PracticePolicy.objects.all().delete()
    terms, usual = read_terms(in_clinic.provider, in_clinic.location, start), PracticePolicy()
    assert (terms.min_notice_minutes, terms.horizon_days) == (usual.min_notice_minutes, usual.horizon_days)
