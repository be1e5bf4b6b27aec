"""Types of visit that need a room or a device: any free one is booked along with the provider."""

from collections.abc import Callable
from typing import Any

import pytest

from appointments.models import Appointment
from appointments.problems import SlotUnavailable
from appointments.services import Booking, Move, book, cancel, change_status, reschedule
from appointments.transitions import Action
from config.api.problem import ValidationProblem
from practices.models import Location, Practice, Resource
from practices.tenancy import Actor, practice_scope
from tests.appointments.conftest import SETUP, calendar_of, tomorrow_at
from tests.clients import client_for

Make = Callable[..., Booking]
TYPES = "/api/v1/appointment-types"


@pytest.fixture
def needs_a_room(in_clinic: Any) -> Any:
    """Two rooms at the clinic's location and one elsewhere."""
    in_clinic.visit.required_resource_kinds = ["room"]
    in_clinic.visit.save()
    in_clinic.room.location = in_clinic.location
    in_clinic.room.save()
    in_clinic.second_room = Resource.objects.create(kind="room", name="Zimmer", location=in_clinic.location)
    Resource.objects.create(kind="room", name="Annexe", location=Location.objects.create(name="Elsewhere"))
    in_clinic.moss = calendar_of(in_clinic.practice, "Moss")
    in_clinic.moss.room.delete()
    return in_clinic


def rooms_of(appointment: Appointment) -> list[str]:
    return list(appointment.allocations.filter(resource__kind="room").values_list("resource__name", flat=True))


def test_a_free_room_of_the_location_is_booked_along(needs_a_room: Any, booking: Make) -> None:
    assert rooms_of(book(booking(), by=SETUP)) == ["Vale Room"]
    assert rooms_of(book(booking(provider=needs_a_room.moss.provider), by=SETUP)) == ["Zimmer"]


def test_a_named_room_is_the_one_that_is_needed(needs_a_room: Any, booking: Make) -> None:
    assert rooms_of(book(booking(resources=[needs_a_room.second_room]), by=SETUP)) == ["Zimmer"]


def test_without_a_free_room_every_room_in_the_way_is_named_and_nothing_is_allocated(
    needs_a_room: Any, booking: Make
) -> None:
    moor = calendar_of(needs_a_room.practice, "Moor")
    moor.room.delete()
    book(booking(), by=SETUP)
    book(booking(provider=needs_a_room.moss.provider), by=SETUP)
    with pytest.raises(SlotUnavailable) as caught:
        book(booking(provider=moor.provider), by=SETUP)
    assert {each.resource for each in caught.value.conflicts} == {needs_a_room.room.pk, needs_a_room.second_room.pk}
    assert moor.calendar.allocations.count() == 0
    with pytest.raises(SlotUnavailable) as caught:
        book(booking(), by=SETUP)
    assert {each.resource for each in caught.value.conflicts} == {
        needs_a_room.calendar.pk,
        needs_a_room.room.pk,
        needs_a_room.second_room.pk,
    }


def test_a_location_without_such_a_resource_is_no_place_for_the_visit(needs_a_room: Any, booking: Make) -> None:
    needs_a_room.visit.required_resource_kinds = ["room", "equipment"]
    with pytest.raises(ValidationProblem) as caught:
        book(booking(), by=SETUP)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/appointment_type", "no_resource")]


def test_a_device_with_capacity_takes_that_many_at_once(needs_a_room: Any, booking: Make) -> None:
    needs_a_room.visit.required_resource_kinds = ["equipment"]
    device = Resource.objects.create(kind="equipment", name="Scanner", capacity=2)
    others = [calendar_of(needs_a_room.practice, name) for name in ("Fen", "Heath")]
    for provider in (needs_a_room.provider, others[0].provider):
        book(booking(provider=provider), by=SETUP)
    assert sorted(device.allocations.values_list("lane", flat=True)) == [0, 1]
    with pytest.raises(SlotUnavailable):
        book(booking(provider=others[1].provider), by=SETUP)


def test_a_moved_visit_keeps_its_room_or_gets_another(needs_a_room: Any, booking: Make) -> None:
    moved = book(booking(resources=[needs_a_room.second_room]), by=SETUP)
    reschedule(moved, Move(start=tomorrow_at(16)), by=SETUP)
    assert rooms_of(moved) == ["Zimmer"]
    book(booking(provider=needs_a_room.moss.provider, resources=[needs_a_room.second_room]), by=SETUP)
    reschedule(moved, Move(start=tomorrow_at(15)), by=SETUP)
    assert rooms_of(moved) == ["Vale Room"]


def test_undoing_a_cancellation_takes_another_room_when_the_old_one_is_gone(needs_a_room: Any, booking: Make) -> None:
    back = cancel(book(booking(), by=SETUP), by=SETUP)
    book(booking(provider=needs_a_room.moss.provider), by=SETUP)
    assert rooms_of(change_status(back, Action.UNDO, by=SETUP)) == ["Zimmer"]


def test_overbooking_prefers_a_free_room(needs_a_room: Any, booking: Make) -> None:
    owner = Actor(kind="user", roles=("owner",))
    book(booking(), by=SETUP)
    second = book(booking(overbook_reason="Urgent"), by=owner)
    assert rooms_of(second) == ["Zimmer"]
    third = book(booking(overbook_reason="Urgent"), by=owner)
    assert sorted(third.allocations.values_list("lane", flat=True)) == [1, 2]


def test_kinds_are_set_with_the_type_and_nothing_but_kinds(clinic: Any) -> None:
    client = client_for("owner", clinic.practice)
    path = f"{TYPES}/{clinic.visit.pk}"
    set_to = client.patch(path, {"required_resource_kinds": ["room", "equipment"]})
    assert (set_to.status_code, set_to.json()["required_resource_kinds"]) == (200, ["room", "equipment"])
    for wrong, code in ((["provider"], "invalid_choice"), (["room", "room"], "duplicate"), ("room", "not_a_list")):
        refused = client.patch(path, {"required_resource_kinds": wrong})
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, code)


def test_a_room_that_is_no_longer_in_use_is_not_taken(needs_a_room: Any, booking: Make) -> None:
    Resource.objects.filter(pk=needs_a_room.room.pk).update(active=False)
    assert rooms_of(book(booking(), by=SETUP)) == ["Zimmer"]


def test_another_practice_s_resources_are_not_counted(clinic: Any, other_practice: Practice, booking: Make) -> None:
    with practice_scope(other_practice, actor=SETUP):
        Resource.objects.create(kind="equipment", name="Scanner")
    with practice_scope(clinic.practice, actor=SETUP):
        clinic.visit.required_resource_kinds = ["equipment"]
        with pytest.raises(ValidationProblem):
            book(booking(), by=SETUP)
