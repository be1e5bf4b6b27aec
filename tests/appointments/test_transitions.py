from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments.models import Appointment
from appointments.problems import InvalidTransition
from appointments.services import book, change_status
from appointments.transitions import TRANSITIONS, Action, Status
from tests.appointments.conftest import SETUP

EVERY = [(status, action) for status in Status for action in Action]


@pytest.mark.parametrize(("status", "action"), EVERY)
def test_every_action_from_every_status_follows_the_table(
    in_clinic: Any, booking: Callable[..., Any], status: Status, action: Action
) -> None:
    appointment = book(booking(start=timezone.now() - timedelta(hours=1)), by=SETUP)
    appointment.status = status
    if status == Status.PENDING:
        appointment.hold_expires_at = timezone.now() + timedelta(minutes=5)
    appointment.save()
    blocking = appointment.blocks
    appointment.allocations.update(blocking=blocking)
    target = TRANSITIONS[status].get(action)
    if target is None:
        with pytest.raises(InvalidTransition):
            change_status(appointment, action, by=SETUP)
        assert Appointment.objects.get(pk=appointment.pk).status == status
    else:
        change_status(appointment, action, by=SETUP)
        saved = Appointment.objects.get(pk=appointment.pk)
        assert saved.status == target
        assert saved.allocations.get().blocking == saved.blocks
