from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from appointments.models import Appointment
from appointments.services import book
from tests.appointments.conftest import SETUP


@pytest.mark.parametrize(
    "change",
    [{"end": None}, {"start": None}, {"start": None, "end": None}, {"status": "pending"}, {"status": "tentative"}],
    ids=str,
)
def test_database_refuses_a_visit_without_its_time_or_with_an_unknown_status(
    in_clinic: Any, booking: Any, change: dict[str, Any]
) -> None:
    appointment = book(booking(), by=SETUP)
    with pytest.raises(IntegrityError), transaction.atomic():
        Appointment.objects.filter(pk=appointment.pk).update(**change)


def test_database_refuses_a_second_visit_in_the_same_lane(in_clinic: Any, booking: Any) -> None:
    allocation = book(booking(), by=SETUP).allocations.get()
    other = book(booking(start=allocation.start + timedelta(hours=3)), by=SETUP)
    with pytest.raises(IntegrityError, match="no_double_booking"), transaction.atomic():
        other.allocations.update(start=allocation.start, end=allocation.end)
