"""Visits that several patients share: one allocation, a seat for each, never one more than there are."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from appointments.models import Appointment, GroupVisit, ResourceAllocation
from appointments.problems import SlotUnavailable
from appointments.recurrence import Recurrence
from appointments.services import Booking, Move, book, cancel, change_status, reschedule
from appointments.services.series import SeriesBooking, SeriesMove, book_series, cancel_series, reschedule_series
from appointments.transitions import Action
from config.api.problem import ValidationProblem
from patients.models import Patient
from practices.models import Location
from practices.tenancy import Actor
from tests.appointments.conftest import SETUP, calendar_of, tomorrow_at

OWNER = Actor(kind="user", roles=("owner",))


@pytest.fixture
def group(in_clinic: Any, booking: Callable[..., Booking]) -> Callable[..., Booking]:
    """A booking of somebody else each time, of a type for three."""
    in_clinic.visit.max_attendees = 3
    in_clinic.visit.save()

    def make(**changes: Any) -> Booking:
        return booking(**{"patient": Patient.objects.create(given_name="Bo", family_name="Moss"), **changes})

    return make


def blocking() -> list[tuple[Any, Any]]:
    """The periods that the provider's time is taken for."""
    return list(ResourceAllocation.objects.filter(blocking=True).order_by("start").values_list("start", "end"))


def test_patients_share_one_allocation_until_the_seats_are_taken(in_clinic: Any, group: Any) -> None:
    visits = [book(group(), by=SETUP) for _ in range(3)]
    assert {visit.group_id for visit in visits} == {GroupVisit.objects.get().pk}
    assert [visit.status for visit in visits] == ["booked"] * 3
    assert blocking() == [(tomorrow_at(15), tomorrow_at(15, 30))]
    with pytest.raises(SlotUnavailable) as caught:
        book(group(), by=SETUP)
    assert [each.resource for each in caught.value.conflicts] == [in_clinic.calendar.pk]


def test_another_type_place_or_time_is_no_seat_in_the_group(in_clinic: Any, group: Any) -> None:
    book(group(), by=SETUP)
    moss = calendar_of(in_clinic.practice, "Moss")
    for changes in (
        {"appointment_type": moss.visit},
        {"location": Location.objects.create(name="Elsewhere")},
        {"start": tomorrow_at(15, 15)},
        {"end": tomorrow_at(16)},
    ):
        with pytest.raises(SlotUnavailable):
            book(group(**changes), by=SETUP)
    assert GroupVisit.objects.get().taken == 1


def test_a_patient_has_one_seat(in_clinic: Any, group: Any) -> None:
    book(group(patient=in_clinic.patient), by=SETUP)
    with pytest.raises(ValidationProblem) as caught:
        book(group(patient=in_clinic.patient), by=SETUP)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/patient", "already_attending")]


def test_each_has_a_status_of_their_own_and_the_last_to_leave_frees_the_time(group: Any) -> None:
    visits = [book(group(), by=SETUP) for _ in range(3)]
    change_status(visits[1], Action.ARRIVE, by=SETUP)
    cancel(visits[0], by=SETUP)
    assert [Appointment.objects.get(pk=visit.pk).status for visit in visits] == ["cancelled", "arrived", "booked"]
    assert (len(blocking()), GroupVisit.objects.get().taken) == (1, 2)
    change_status(visits[2], Action.ENTER_IN_ERROR, by=SETUP)
    assert len(blocking()) == 1
    cancel(visits[1], by=SETUP)
    assert (blocking(), GroupVisit.objects.get().taken) == ([], 0)


def test_a_seat_that_was_given_back_can_be_taken_and_taken_again(group: Any) -> None:
    visits = [book(group(), by=SETUP) for _ in range(3)]
    cancel(visits[0], by=SETUP)
    book(group(), by=SETUP)
    with pytest.raises(SlotUnavailable):
        change_status(Appointment.objects.get(pk=visits[0].pk), Action.UNDO, by=SETUP)
    cancel(visits[1], by=SETUP)
    back = change_status(Appointment.objects.get(pk=visits[0].pk), Action.UNDO, by=SETUP)
    assert back.group_id == visits[2].group_id
    assert GroupVisit.objects.get(pk=back.group_id).taken == 3
    assert len(blocking()) == 1


def test_undoing_the_last_one_s_cancellation_takes_the_time_again(group: Any) -> None:
    only = cancel(book(group(), by=SETUP), by=SETUP)
    change_status(only, Action.UNDO, by=SETUP)
    assert (only.group.taken, len(blocking())) == (1, 1)


def test_who_moves_leaves_the_group_and_joins_another(group: Any) -> None:
    first, second = (book(group(), by=SETUP) for _ in range(2))
    later = book(group(start=tomorrow_at(17)), by=SETUP)
    reschedule(first, Move(start=tomorrow_at(17)), by=SETUP)
    assert first.group_id == later.group_id
    assert [group_visit.taken for group_visit in GroupVisit.objects.order_by("start")] == [1, 2]
    reschedule(second, Move(start=tomorrow_at(15, 15)), by=SETUP)
    assert blocking() == [(tomorrow_at(15, 15), tomorrow_at(15, 45)), (tomorrow_at(17), tomorrow_at(17, 30))]


def test_who_moves_alone_does_not_take_the_others_time(group: Any) -> None:
    first, second = (book(group(), by=SETUP) for _ in range(2))
    with pytest.raises(SlotUnavailable), transaction.atomic():
        reschedule(first, Move(start=tomorrow_at(15, 15)), by=SETUP)
    assert Appointment.objects.get(pk=first.pk).group_id == second.group_id
    reschedule(second, Move(start=tomorrow_at(15)), by=SETUP)
    assert (GroupVisit.objects.get().taken, len(blocking())) == (2, 1)


def test_a_hold_keeps_a_seat_until_it_expires(group: Any) -> None:
    hold = book(group(hold=True), by=SETUP)
    others = [book(group(), by=SETUP) for _ in range(2)]
    with pytest.raises(SlotUnavailable):
        book(group(), by=SETUP)
    Appointment.objects.filter(pk=hold.pk).update(hold_expires_at=timezone.now() - timedelta(seconds=1))
    assert book(group(), by=SETUP).group_id == others[0].group_id
    assert (GroupVisit.objects.get().taken, len(blocking())) == (3, 1)
    assert Appointment.objects.get(pk=hold.pk).status == "cancelled"


def test_the_time_of_a_group_is_not_given_away_with_one_expired_hold(in_clinic: Any, group: Any, booking: Any) -> None:
    """The hold is the one that the allocation is on."""
    hold = book(group(hold=True), by=SETUP)
    book(group(), by=SETUP)
    Appointment.objects.filter(pk=hold.pk).update(hold_expires_at=timezone.now() - timedelta(seconds=1))
    single = calendar_of(in_clinic.practice, "Moss").visit
    with pytest.raises(SlotUnavailable):
        book(booking(appointment_type=single), by=SETUP)


def test_overbooking_a_full_group_begins_a_second_one(group: Any) -> None:
    for _ in range(3):
        book(group(), by=SETUP)
    assert book(group(overbook_reason="Urgent"), by=OWNER).allocations.get().lane == 1
    assert sorted(GroupVisit.objects.values_list("taken", flat=True)) == [1, 3]


def test_a_series_of_group_visits_joins_the_groups_that_are_there(group: Any) -> None:
    first, second = (
        SeriesBooking(
            patient=asked.patient,
            appointment_type=asked.appointment_type,
            provider=asked.provider,
            location=asked.location,
            start=asked.start,
            rrule=Recurrence.parse(rule),
        )
        for asked, rule in ((group(), "FREQ=DAILY;COUNT=2"), (group(), "FREQ=DAILY;COUNT=3"))
    )
    book_series(first, by=SETUP)
    series = book_series(second, by=SETUP)
    assert [each.taken for each in GroupVisit.objects.order_by("start")] == [2, 2, 1]
    assert len(blocking()) == 3
    with pytest.raises(SlotUnavailable):
        book_series(second, by=SETUP)
    with pytest.raises(ValidationProblem) as caught:
        reschedule_series(series, "all", SeriesMove(start=tomorrow_at(17)), appointment=None, by=SETUP)
    assert [error.code for error in caught.value.errors] == ["group_visit"]
    cancel_series(series, "all", appointment=None, by=SETUP)
    assert [each.taken for each in GroupVisit.objects.order_by("start")] == [1, 1, 0]


def test_the_database_refuses_one_more_than_there_are_seats(group: Any) -> None:
    visit = book(group(), by=SETUP)
    with pytest.raises(IntegrityError, match="group_visit_not_overfull"), transaction.atomic():
        GroupVisit.objects.filter(pk=visit.group_id).update(taken=4)
    with pytest.raises(IntegrityError, match="appointment_once_in_its_group"), transaction.atomic():
        Appointment.objects.create(
            **{
                field.name: getattr(visit, field.name)
                for field in Appointment._meta.concrete_fields
                if field.name not in {"id", "notes"}
            }
        )
