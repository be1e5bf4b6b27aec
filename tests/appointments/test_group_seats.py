"""Free times and any provider: a seat in a group that has begun is offered, and taken before a new group begins."""

from collections.abc import Callable
from datetime import date, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments.calendars import Search, search
from appointments.local_time import floor_seconds
from appointments.models import Appointment, AvailabilityRule
from appointments.problems import SlotUnavailable
from appointments.services import Booking, book
from appointments.services.requests import book_for
from patients.models import Patient
from practices.models import Closure, Location, Resource
from tests.appointments.conftest import SETUP, calendar_of, tomorrow_at

NOON = floor_seconds(tomorrow_at(12))


def open_all_day(parts: Any, location: Location) -> None:
    AvailabilityRule.objects.bulk_create(
        AvailabilityRule(
            resource=parts.calendar,
            location=location,
            weekday=weekday,
            start_time=time(0),
            end_time=time(0),
            time_zone="UTC",
            valid_from=date(2026, 1, 1),
        )
        for weekday in range(7)
    )


@pytest.fixture
def office(in_clinic: Any) -> Any:
    """Always open; the type is for two, and begins at whole hours."""
    open_all_day(in_clinic, in_clinic.location)
    in_clinic.visit.max_attendees, in_clinic.visit.alignment = 2, 60
    in_clinic.visit.save()
    return in_clinic


@pytest.fixture
def group(office: Any, booking: Callable[..., Booking]) -> Callable[..., Appointment]:
    """Books somebody else each time, a quarter past noon: no time that would be offered for a new group."""

    def make(**changes: Any) -> Appointment:
        patient = Patient.objects.create(given_name="Bo", family_name="Moss")
        return book(booking(**{"patient": patient, "start": tomorrow_at(12, 15), **changes}), by=SETUP)

    return make


def offered(office: Any, **changes: Any) -> list[int]:
    """Minutes after noon, within the hour."""
    asked = Search(**{"appointment_type": office.visit, "start": NOON, "end": NOON + 3600, **changes})
    return [(at - NOON) // 60 for at, _ in search(asked, now=timezone.now())]


def test_a_begun_group_is_offered_until_its_seats_are_taken(office: Any, group: Any) -> None:
    assert offered(office) == [0]
    group()
    assert offered(office) == offered(office, provider=office.provider.pk) == [15]
    group()
    assert offered(office) == []


def test_the_seat_of_an_expired_hold_is_offered_and_its_time_is_not(office: Any, group: Any) -> None:
    """The hold is the one that the allocation is on; the group's time stays the other's."""
    hold = group(hold=True)
    group()
    assert offered(office) == []
    Appointment.objects.filter(pk=hold.pk).update(hold_expires_at=timezone.now() - timedelta(seconds=1))
    single = calendar_of(office.practice, "Moss").visit
    assert offered(office) == [15]
    assert offered(office, appointment_type=single) == [45]


def test_no_seat_is_offered_at_another_place_or_of_another_length(office: Any, group: Any) -> None:
    group()
    assert offered(office, location=Location.objects.create(name="Elsewhere").pk) == []
    office.visit.duration = 20
    assert offered(office) == []


def test_no_seat_is_offered_while_the_place_is_closed(office: Any, group: Any) -> None:
    group()
    day = tomorrow_at(12).date()
    Closure.objects.create(name="Flood", start_date=day, end_date=day)
    assert offered(office) == []


def test_a_group_without_what_is_named_is_not_offered(office: Any, group: Any) -> None:
    group(resources=[office.room])
    assert offered(office, resources=(office.room.pk,)) == [15]
    other = Resource.objects.create(kind="room", name="Other")
    assert offered(office, resources=(other.pk,)) == []


def test_any_provider_joins_the_fullest_group_before_a_new_one_begins(office: Any, group: Any) -> None:
    moss = calendar_of(office.practice, "Moss")
    open_all_day(moss, office.location)
    office.visit.max_attendees = 3
    office.visit.save()
    begun = group(provider=moss.provider)
    group(provider=moss.provider, start=tomorrow_at(14))  # so that the other one has less to do
    wish = {"appointment_type": office.visit, "location": office.location, "start": tomorrow_at(12, 15)}

    def another() -> Appointment:
        patient = Patient.objects.create(given_name="Cy", family_name="Reed")
        return book_for({**wish, "patient": patient}, any_provider=True, by=SETUP)

    assert [another().group_id for _ in range(2)] == [begun.group_id] * 2
    assert [another().provider for _ in range(3)] == [office.provider] * 3
    with pytest.raises(SlotUnavailable) as caught:
        another()
    assert len(caught.value.conflicts) == 2


def test_a_refusal_suggests_a_seat(office: Any, group: Any, booking: Any) -> None:
    group()
    wish = {"appointment_type": office.visit, "location": office.location, "start": tomorrow_at(12)}
    with pytest.raises(SlotUnavailable) as caught:
        book_for({**wish, "patient": office.patient, "provider": office.provider}, any_provider=False, by=SETUP)
    suggested = caught.value.members["suggestions"]
    assert suggested[0]["start"] == tomorrow_at(12, 15)
