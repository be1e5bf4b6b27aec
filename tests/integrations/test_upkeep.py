from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from appointments.models import Appointment
from appointments.services import book
from integrations.models import IdempotencyKey, Message
from integrations.tasks import forget_admin_sessions, forget_answers, release_holds
from practices.models import Practice
from practices.tenancy import active_practice_id, practice_scope
from tests.appointments.conftest import SETUP, tomorrow_at

pytestmark = pytest.mark.django_db


def keep_answer(key_hash: str, *, age: timedelta) -> None:
    kept = IdempotencyKey.objects.create(
        user_id=active_practice_id(), key_hash=key_hash, fingerprint="f", status=201, body="x"
    )
    IdempotencyKey.objects.filter(pk=kept.pk).update(created_at=timezone.now() - age)


def test_expired_hold_is_cancelled_and_a_running_one_is_not(clinic: Any, booking: Callable[..., Any]) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        expired = book(booking(hold=True), by=SETUP)
        running = book(booking(hold=True, start=tomorrow_at(17)), by=SETUP)
        Appointment.objects.filter(pk=expired.pk).update(hold_expires_at=timezone.now() - timedelta(seconds=1))
    release_holds(timestamp=0)
    with practice_scope(clinic.practice, actor=SETUP):
        expired.refresh_from_db()
        running.refresh_from_db()
        assert (expired.status, running.status) == ("cancelled", "pending")
        assert not expired.allocations.filter(blocking=True).exists()
        assert not Message.objects.exists()


def test_logins_to_the_admin_that_are_over_are_removed() -> None:
    for key, age in (("over", timedelta(seconds=1)), ("running", timedelta(hours=-1))):
        Session.objects.create(session_key=key, session_data="x", expire_date=timezone.now() - age)
    forget_admin_sessions(timestamp=0)
    assert [each.session_key for each in Session.objects.all()] == ["running"]


def test_answers_are_forgotten_after_a_day_in_every_practice(practice: Practice, other_practice: Practice) -> None:
    for each in (practice, other_practice):
        with practice_scope(each, actor=SETUP):
            keep_answer("old", age=timedelta(hours=25))
            keep_answer("new", age=timedelta(hours=23))
    forget_answers(timestamp=0)
    for each in (practice, other_practice):
        with practice_scope(each, actor=SETUP):
            assert list(IdempotencyKey.objects.values_list("key_hash", flat=True)) == ["new"]


def test_practice_that_fails_does_not_stop_the_others(practice: Practice, other_practice: Practice) -> None:
    from integrations.upkeep import in_every_practice

    done = []

    def work() -> None:
        if active_practice_id() == practice.pk:
            raise ValueError
        done.append(active_practice_id())

    in_every_practice(work)
    assert done == [other_practice.pk]
