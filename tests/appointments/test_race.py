"""Two hundred people want the same time at once, over HTTP from the server as it is deployed."""

import asyncio
from collections import Counter
from datetime import date, time
from typing import Any

import httpx
import pytest
from django.db import connection

from accounts.tokens import access_token
from appointments.models import AvailabilityRule
from practices.tenancy import practice_scope
from tests.appointments.conftest import SETUP, tomorrow_at
from tests.clients import client_for
from tests.integrations.live import LiveServer

RIVALS = 200
OVERLAPS = """
    SELECT count(*) FROM appointments_resourceallocation a JOIN appointments_resourceallocation b
    ON a.resource_id = b.resource_id AND a.lane = b.lane AND a.id < b.id
    AND tstzrange(a.start, a."end") && tstzrange(b.start, b."end") WHERE a.blocking AND b.blocking
"""


async def book_at_once(url: str, headers: dict[str, str], body: dict[str, str]) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=RIVALS)
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=120) as client:
        return await asyncio.gather(*(client.post(url, json=body) for _ in range(RIVALS)))


@pytest.mark.django_db(transaction=True)
def test_two_hundred_bookings_of_one_slot_make_one_appointment(clinic: Any) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        AvailabilityRule.objects.bulk_create(
            AvailabilityRule(
                resource=clinic.calendar,
                location=clinic.location,
                weekday=weekday,
                start_time=time(8),
                end_time=time(18),
                valid_from=date(2026, 1, 1),
            )
            for weekday in range(7)
        )
    token = access_token(client_for("front_desk", clinic.practice).login_session)
    body = {
        "patient": str(clinic.patient.pk),
        "appointment_type": str(clinic.visit.pk),
        "provider": str(clinic.provider.pk),
        "location": str(clinic.location.pk),
        "start": tomorrow_at(15).isoformat(),
    }
    with LiveServer({"RATELIMIT_ENABLE": "false"}) as server:
        url = f"http://{server.host}/api/v1/appointments"
        answers = asyncio.run(book_at_once(url, {"Authorization": f"Bearer {token}"}, body))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: RIVALS - 1}
    refusals = [answer.json() for answer in answers if answer.status_code == 409]
    assert {problem["code"] for problem in refusals} == {"slot_unavailable"}
    assert all(len(problem["conflicts"]) == 1 and len(problem["suggestions"]) == 5 for problem in refusals)
    with practice_scope(clinic.practice, actor=SETUP), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM appointments_appointment")
        assert cursor.fetchone() == (1,)
        cursor.execute(OVERLAPS)
        assert cursor.fetchone() == (0,)
