"""Several workers offer what became free at once: no time twice, nobody two times."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from appointments.models import Appointment, ResourceAllocation, WaitlistEntry, WaitlistOffer
from appointments.services.freed_time import FreedTime, offer_freed_time
from practices.tenancy import Actor, practice_scope
from tests.appointments.conftest import SETUP
from tests.appointments.test_waitlist import freed, office, waiting

__all__ = ["office"]
WORKERS = 6
WORKER = Actor.system("worker")


def at_once(office: Any, times: list[FreedTime]) -> list[int]:
    """How many holds each worker made."""

    def work(each: FreedTime) -> int:
        try:
            with practice_scope(office.practice, actor=WORKER):
                return len(offer_freed_time(each, by=WORKER))
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, times))


@pytest.mark.django_db(transaction=True)
def test_one_freed_time_is_offered_to_one(office: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        for number in range(4):
            waiting(office, f"Nr {number}")
    assert sorted(at_once(office, [freed(office)] * WORKERS)) == [0] * (WORKERS - 1) + [1]
    with practice_scope(office.practice, actor=SETUP):
        assert Appointment.objects.filter(status="pending").count() == 1
        assert WaitlistOffer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_who_waits_is_offered_one_of_many_times(office: Any) -> None:
    with practice_scope(office.practice, actor=SETUP):
        entry = waiting(office, "Only")
    assert sum(at_once(office, [freed(office, hours) for hours in range(12, 12 + WORKERS)])) == 1
    with practice_scope(office.practice, actor=SETUP):
        assert WaitlistEntry.objects.get(pk=entry.pk).status == "offered"
        assert ResourceAllocation.objects.filter(blocking=True).count() == 1
