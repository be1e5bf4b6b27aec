from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments.models import Appointment, ResourceAllocation
from appointments.problems import HoldExpired, InvalidTransition, SlotUnavailable
from appointments.services import Booking, Move, book, cancel, change_status, reschedule
from appointments.transitions import Action
from config.api.problem import Forbidden, ValidationProblem
from practices.models import Closure, PracticePolicy
from practices.tenancy import Actor
from tests.appointments.conftest import SETUP, calendar_of, tomorrow_at

Make = Callable[..., Booking]
FRONT_DESK = Actor(kind="user", roles=("front_desk",))
OWNER = Actor(kind="user", roles=("owner",))


def codes(problem: ValidationProblem) -> list[str]:
    return [error.code for error in problem.errors]


def test_book_takes_the_types_length_and_occupies_the_calendar_with_its_buffers(in_clinic: Any, booking: Make) -> None:
    in_clinic.visit.buffer_before, in_clinic.visit.buffer_after = 5, 10
    appointment = book(booking(), by=SETUP)
    assert appointment.end == tomorrow_at(15, 30)
    allocation = appointment.allocations.get()
    assert (allocation.start, allocation.end) == (tomorrow_at(14, 55), tomorrow_at(15, 40))


def test_book_of_a_taken_time_names_the_conflict(in_clinic: Any, booking: Make) -> None:
    book(booking(), by=SETUP)
    with pytest.raises(SlotUnavailable) as caught:
        book(booking(start=tomorrow_at(15, 15)), by=SETUP)
    assert caught.value.members["conflicts"] == [
        {"resource": in_clinic.calendar.pk, "start": tomorrow_at(15), "end": tomorrow_at(15, 30)}
    ]


def test_book_back_to_back_fits(in_clinic: Any, booking: Make) -> None:
    book(booking(), by=SETUP)
    book(booking(start=tomorrow_at(15, 30)), by=SETUP)
    assert Appointment.objects.count() == 2


def test_book_of_a_taken_room_names_the_room_and_allocates_nothing(in_clinic: Any, booking: Make) -> None:
    other = calendar_of(in_clinic.practice, "Moss")
    book(booking(resources=[in_clinic.room]), by=SETUP)
    with pytest.raises(SlotUnavailable) as caught:
        book(booking(provider=other.provider, resources=[in_clinic.room]), by=SETUP)
    assert [each["resource"] for each in caught.value.members["conflicts"]] == [in_clinic.room.pk]
    assert ResourceAllocation.objects.filter(resource=other.calendar).count() == 0


def test_book_with_capacity_two_takes_two_at_once(in_clinic: Any, booking: Make) -> None:
    in_clinic.calendar.capacity = 2
    in_clinic.calendar.save()
    book(booking(), by=SETUP)
    book(booking(), by=SETUP)
    with pytest.raises(SlotUnavailable):
        book(booking(), by=SETUP)


def test_overbooking_needs_the_right_and_takes_the_next_lane(in_clinic: Any, booking: Make) -> None:
    book(booking(), by=SETUP)
    with pytest.raises(Forbidden):
        book(booking(overbook_reason="Urgent"), by=FRONT_DESK)
    appointment = book(booking(overbook_reason="Urgent"), by=OWNER)
    assert appointment.allocations.get().lane == 1


def test_an_overbooked_visit_keeps_the_time_when_the_other_one_is_cancelled(in_clinic: Any, booking: Make) -> None:
    first = book(booking(), by=SETUP)
    book(booking(overbook_reason="Urgent"), by=OWNER)
    cancel(first, by=SETUP)
    with pytest.raises(SlotUnavailable) as caught:
        book(booking(), by=SETUP)
    assert len(caught.value.conflicts) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"start": timezone.now() - timedelta(hours=1)}, "in_the_past"),
        ({"start": timezone.now() + timedelta(days=400)}, "too_far_ahead"),
        ({"start": datetime(2027, 3, 14, 2, 30)}, "nonexistent_local_time"),  # noqa: DTZ001  # a wall-clock time
        ({"end": tomorrow_at(14)}, "invalid_length"),
    ],
)
def test_book_against_the_rules_is_refused(in_clinic: Any, booking: Make, change: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationProblem) as caught:
        book(booking(**change), by=FRONT_DESK)
    assert codes(caught.value) == [code]


def test_book_within_the_notice_is_refused(in_clinic: Any, booking: Make) -> None:
    PracticePolicy.objects.update(min_notice_minutes=120)
    with pytest.raises(ValidationProblem) as caught:
        book(booking(start=timezone.now() + timedelta(minutes=60)), by=SETUP)
    assert codes(caught.value) == ["too_soon"]


def test_book_on_a_closed_day_is_refused(in_clinic: Any, booking: Make) -> None:
    day = tomorrow_at(15).date()
    Closure.objects.create(name="Holiday", start_date=day, end_date=day)
    with pytest.raises(ValidationProblem) as caught:
        book(booking(), by=SETUP)
    assert codes(caught.value) == ["closed"]


def test_book_for_the_deceased_is_refused(in_clinic: Any, booking: Make) -> None:
    in_clinic.patient.deceased_at = timezone.now()
    with pytest.raises(ValidationProblem) as caught:
        book(booking(), by=SETUP)
    assert codes(caught.value) == ["patient_deceased"]


def test_expired_hold_gives_way_to_the_next_booking(in_clinic: Any, booking: Make) -> None:
    hold = book(booking(hold=True), by=SETUP)
    with pytest.raises(SlotUnavailable):
        book(booking(), by=SETUP)
    Appointment.objects.filter(pk=hold.pk).update(hold_expires_at=timezone.now() - timedelta(seconds=1))
    book(booking(), by=SETUP)
    hold.refresh_from_db()
    assert hold.status == "cancelled"
    assert hold.cancellation_reason.code == "hold-expired"


def test_confirming_an_expired_hold_is_refused(in_clinic: Any, booking: Make) -> None:
    hold = book(booking(hold=True), by=SETUP)
    hold.hold_expires_at = timezone.now() - timedelta(seconds=1)
    with pytest.raises(HoldExpired):
        change_status(hold, Action.CONFIRM, by=SETUP)


def test_reschedule_onto_its_own_time_never_conflicts_with_itself(in_clinic: Any, booking: Make) -> None:
    appointment = book(booking(), by=SETUP)
    reschedule(appointment, Move(start=tomorrow_at(15, 15)), by=SETUP)
    assert appointment.allocations.get().start == tomorrow_at(15, 15)
    assert [event.action for event in appointment.status_events.all()] == ["book", "reschedule"]


def test_reschedule_onto_a_taken_time_keeps_the_old_one(in_clinic: Any, booking: Make) -> None:
    appointment = book(booking(), by=SETUP)
    book(booking(start=tomorrow_at(16)), by=SETUP)
    with pytest.raises(SlotUnavailable):
        reschedule(appointment, Move(start=tomorrow_at(16)), by=SETUP)
    appointment.refresh_from_db()
    assert appointment.start == tomorrow_at(15)
    assert appointment.allocations.get().start == tomorrow_at(15)


def test_cancel_frees_the_time_and_undo_takes_it_back_only_when_free(in_clinic: Any, booking: Make) -> None:
    appointment = book(booking(), by=SETUP)
    cancel(appointment, by=SETUP)
    other = book(booking(), by=SETUP)
    with pytest.raises(SlotUnavailable):
        change_status(Appointment.objects.get(pk=appointment.pk), Action.UNDO, by=SETUP)
    cancel(other, by=SETUP)
    appointment = change_status(Appointment.objects.get(pk=appointment.pk), Action.UNDO, by=SETUP)
    assert appointment.status == "booked"
    assert appointment.allocations.get().blocking


def test_cancel_without_a_wanted_reason_is_refused(in_clinic: Any, booking: Make) -> None:
    PracticePolicy.objects.update(require_cancel_reason=True)
    with pytest.raises(ValidationProblem):
        cancel(book(booking(), by=SETUP), by=SETUP)


def test_no_show_before_the_start_is_refused(in_clinic: Any, booking: Make) -> None:
    with pytest.raises(InvalidTransition) as caught:
        change_status(book(booking(), by=SETUP), Action.NO_SHOW, by=SETUP)
    assert "no-show" not in caught.value.members["allowed_transitions"]


def test_status_stamps_are_taken_back_by_undo(in_clinic: Any, booking: Make) -> None:
    appointment = book(booking(), by=SETUP)
    change_status(appointment, Action.ARRIVE, by=SETUP)
    change_status(appointment, Action.CHECK_IN, by=SETUP)
    assert appointment.checked_in_at is not None
    change_status(appointment, Action.UNDO, by=SETUP)
    appointment = Appointment.objects.get(pk=appointment.pk)
    assert (appointment.status, appointment.checked_in_at) == ("arrived", None)
    change_status(appointment, Action.UNDO, by=SETUP)
    appointment = Appointment.objects.get(pk=appointment.pk)
    assert (appointment.status, appointment.arrived_at) == ("booked", None)


def test_provider_overbooks_only_the_own_calendar(in_clinic: Any, booking: Make) -> None:
    provider = Actor.user(in_clinic.user.pk, ("provider",))
    book(booking(resources=[in_clinic.room]), by=SETUP)
    with pytest.raises(SlotUnavailable) as caught:
        book(booking(resources=[in_clinic.room], overbook_reason="Urgent"), by=provider)
    assert [each["resource"] for each in caught.value.members["conflicts"]] == [in_clinic.room.pk]
    assert book(booking(overbook_reason="Urgent"), by=provider).allocations.get().lane == 1
    assert book(booking(resources=[in_clinic.room], overbook_reason="Urgent"), by=OWNER).allocations.count() == 2
