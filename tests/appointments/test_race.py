"""Two hundred people want the same time at once, over HTTP from the server as it is deployed."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import httpx
import pytest
from django.db import connection

from accounts.tokens import access_token
from appointments.models import Appointment, AppointmentType, AvailabilityRule, GroupVisit
from patients.models import Patient
from practices.models import Resource
from practices.services import create_practice
from practices.tenancy import practice_scope
from tests.appointments.conftest import SETUP, calendar_of, tomorrow_at
from tests.clients import client_for
from tests.integrations.live import LiveServer

ROUNDS = int(os.environ.get("RACE_ROUNDS", "1"))
RIVALS = 200
SEATS = 7
FEWER = 40 if ROUNDS == 1 else RIVALS
"""In the races of several resources: enough for a deadlock, and quick enough for every run."""
OVERLAPS = """
    SELECT count(*) FROM appointments_resourceallocation a JOIN appointments_resourceallocation b
    ON a.resource_id = b.resource_id AND a.lane = b.lane AND a.id < b.id
    AND tstzrange(a.start, a."end") && tstzrange(b.start, b."end") WHERE a.blocking AND b.blocking
"""


Body = dict[str, Any]


@pytest.fixture
def open_house(transactional_db: None) -> Iterator[Any]:
    """Five providers who are there all day at one location with a device for three, and the server with its client."""
    practice = create_practice(by=SETUP, slug="cedar", name="Cedar", time_zone="America/New_York")
    with practice_scope(practice, actor=SETUP):
        staff = [calendar_of(practice, name) for name in ("Vale", "Moss", "Fen", "Heath", "Moor")]
        house = staff[0]
        house.device = Resource.objects.create(kind="equipment", name="Scanner", capacity=3)
        house.scan = AppointmentType.objects.create(
            name="Scan", duration=30, buffer_after=5, required_resource_kinds=["equipment"]
        )
        house.circle = AppointmentType.objects.create(name="Circle", duration=30, max_attendees=SEATS)
        AvailabilityRule.objects.bulk_create(
            AvailabilityRule(
                resource=part.calendar,
                location=house.location,
                weekday=weekday,
                start_time=time(0),
                end_time=time(0),
                valid_from=date(2026, 1, 1),
            )
            for part in staff
            for weekday in range(7)
        )
    house.practice, house.staff = practice, staff
    house.token = access_token(client_for("front_desk", practice).login_session)
    with LiveServer({"RATELIMIT_ENABLE": "false"}) as server:
        house.url = f"http://{server.host}/api/v1/appointments"
        yield house


def wish(house: Any, **changes: Any) -> Body:
    return {
        "patient": str(house.patient.pk),
        "appointment_type": str(house.visit.pk),
        "provider": str(house.provider.pk),
        "location": str(house.location.pk),
        **changes,
    }


async def post_at_once(house: Any, bodies: Sequence[Body]) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=len(bodies))
    headers = {"Authorization": f"Bearer {house.token}"}
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=120) as client:
        return await asyncio.gather(*(client.post(house.url, json=body) for body in bodies))


def race(house: Any, bodies: Sequence[Body], *, winners: int) -> list[Any]:
    """Asserts that exactly that many got in and that the calendar shows it; returns the refusals."""
    with practice_scope(house.practice, actor=SETUP):
        before = Appointment.objects.count()
    answers = asyncio.run(post_at_once(house, bodies))
    assert Counter(answer.status_code for answer in answers) == {201: winners, 409: len(bodies) - winners}
    with practice_scope(house.practice, actor=SETUP), connection.cursor() as cursor:
        assert Appointment.objects.count() == before + winners
        cursor.execute(OVERLAPS)
        assert cursor.fetchone() == (0,)
    refusals = [answer.json() for answer in answers if answer.status_code == 409]
    assert {problem["code"] for problem in refusals} == {"slot_unavailable"}
    return refusals


def test_two_hundred_rivals_get_exactly_what_there_is(open_house: Any) -> None:
    """RACE_ROUNDS=20 repeats it on other days, with two hundred in every race."""
    for day in range(1, ROUNDS + 1):
        one_slot(open_house, tomorrow_at(15) + timedelta(days=day))
        crossing_sets(open_house, tomorrow_at(17) + timedelta(days=day))
        anybody_with_a_device(open_house, tomorrow_at(19) + timedelta(days=day))
        seats_of_a_group(open_house, tomorrow_at(21) + timedelta(days=day))


def one_slot(house: Any, start: datetime) -> None:
    refusals = race(house, [wish(house, start=start.isoformat())] * RIVALS, winners=1)
    assert all(len(problem["conflicts"]) == 1 and len(problem["suggestions"]) == 5 for problem in refusals)


def crossing_sets(house: Any, start: datetime) -> None:
    """Either half wants the other half's provider and the same rooms, named in opposite order."""
    first, second, *_ = house.staff
    rooms = [str(first.room.pk), str(second.room.pk)]
    at = {"start": start.isoformat()}
    one = wish(house, **at, resources=[*rooms, str(second.calendar.pk)])
    other = wish(house, **at, provider=str(second.provider.pk), resources=[str(first.calendar.pk), *reversed(rooms)])
    refusals = race(house, [one, other] * (FEWER // 2), winners=1)
    everything = {*rooms, str(first.calendar.pk), str(second.calendar.pk)}
    assert all({conflict["resource"] for conflict in problem["conflicts"]} == everything for problem in refusals)


def anybody_with_a_device(house: Any, start: datetime) -> None:
    """Five providers would be free, but the device takes three."""
    anyone = wish(house, start=start.isoformat(), any_provider=True, appointment_type=str(house.scan.pk))
    del anyone["provider"]
    race(house, [anyone] * FEWER, winners=3)
    with practice_scope(house.practice, actor=SETUP):
        booked = Appointment.objects.filter(start=start)
        assert len({appointment.provider_id for appointment in booked}) == 3
        assert sorted(house.device.allocations.filter(appointment__in=booked).values_list("lane", flat=True)) == [
            0,
            1,
            2,
        ]


def seats_of_a_group(house: Any, start: datetime) -> None:
    """Each for another patient; seven get a seat, in one group with one allocation."""
    with practice_scope(house.practice, actor=SETUP):
        patients = Patient.objects.bulk_create(
            Patient(given_name="Bo", family_name=f"Moss {number}", mrn=f"{start:%d}-{number}")
            for number in range(FEWER)
        )
    asked = {"start": start.isoformat(), "appointment_type": str(house.circle.pk)}
    race(house, [wish(house, **asked, patient=str(patient.pk)) for patient in patients], winners=SEATS)
    with practice_scope(house.practice, actor=SETUP):
        group = GroupVisit.objects.get(start=start)
        assert (group.taken, group.appointments.count()) == (SEATS, SEATS)
        assert house.calendar.allocations.filter(appointment__group=group, blocking=True).count() == 1
