"""Each of the ten statuses to each of the ten, over HTTP and in the admin: the table allows it, or nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from appointments.models import Appointment
from appointments.services import book
from appointments.transitions import Status
from practices.tenancy import practice_scope
from tests.admin.pages import staff, url
from tests.appointments.conftest import SETUP
from tests.clients import client_for

STATUSES = list(Status.values)
TO: dict[str, set[str]] = {
    "proposed": {"booked", "cancelled", "entered-in-error"},
    "waitlist": {"booked", "cancelled", "entered-in-error"},
    "pending": {"booked", "cancelled", "entered-in-error"},
    "booked": {"booked", "arrived", "checked-in", "noshow", "cancelled", "entered-in-error"},
    "arrived": {"checked-in", "fulfilled", "booked", "cancelled"},
    "checked-in": {"fulfilled", "arrived", "cancelled"},
    "noshow": {"arrived", "booked", "entered-in-error"},
    "cancelled": {"booked"},
    "fulfilled": {"checked-in", "entered-in-error"},
    "entered-in-error": set(),
}
"""What may follow, by actions of people; a visit is made as proposed, pending or waitlist, and never becomes it."""
ACTIONS: dict[str, tuple[str, ...]] = {
    "booked": ("confirm", "undo"),
    "arrived": ("arrive", "undo"),
    "checked-in": ("check-in", "undo"),
    "fulfilled": ("fulfill",),
    "cancelled": ("cancel",),
    "noshow": ("no-show",),
    "entered-in-error": ("enter-in-error",),
}
"""Whatever could lead there."""
Do = Callable[[Appointment, str], Any]


@pytest.fixture
def visit(clinic: Any, booking: Any) -> Appointment:
    with practice_scope(clinic.practice, actor=SETUP):
        return book(booking(start=timezone.now() - timedelta(hours=1)), by=SETUP)


def reached(clinic: Any, visit: Appointment, before: str, after: str, do: Do) -> list[str]:
    """The statuses in which the visit is left by each way that could lead from one to the other."""
    found = []
    for action in ACTIONS.get(after, (f"status={after}",)):
        savepoint = transaction.savepoint()
        with practice_scope(clinic.practice, actor=SETUP):
            row = Appointment.objects.get(pk=visit.pk)
            row.status = before
            row.hold_expires_at = timezone.now() + timedelta(minutes=5) if before == "pending" else None
            row.save()
            row.allocations.update(blocking=row.blocks)
        do(row, action)
        with practice_scope(clinic.practice, actor=SETUP):
            row.refresh_from_db()
            assert row.allocations.get().blocking == row.blocks
        found.append(row.status)
        transaction.savepoint_rollback(savepoint)
    return found


def all_pairs(clinic: Any, visit: Appointment, before: str, do: Do) -> dict[str, bool]:
    reached_by = {after: reached(clinic, visit, before, after, do) for after in STATUSES}
    assert all(set(found) <= {before, *TO[before]} for found in reached_by.values())
    return {after: after in found for after, found in reached_by.items() if after != before}


def expected(before: str) -> dict[str, bool]:
    return {after: after in TO[before] for after in STATUSES if after != before}


@pytest.mark.parametrize("before", STATUSES)
def test_every_pair_over_http(clinic: Any, visit: Appointment, before: str) -> None:
    client = client_for("owner", clinic.practice)

    def do(row: Appointment, action: str) -> None:
        path = f"/api/v1/appointments/{row.pk}"
        if "=" in action:
            assert client.patch(path, {"status": action.partition("=")[2]}).json()["code"] == "unknown_field"
            return
        answer = client.post(f"{path}/{action}", {})
        if answer.status_code != 200:
            assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")

    assert all_pairs(clinic, visit, before, do) == expected(before)


@pytest.mark.parametrize("before", STATUSES)
def test_every_pair_in_the_admin(clinic: Any, visit: Appointment, before: str) -> None:
    owner = staff("owner", clinic.practice)

    def do(row: Appointment, action: str) -> None:
        if "=" in action:
            owner.post(url(Appointment, "change", row.pk), {"status": action.partition("=")[2], "notes": ""})
        else:
            owner.post(url(Appointment, "do", row.pk, action), {})

    assert all_pairs(clinic, visit, before, do) == expected(before)


@pytest.mark.parametrize(("hours", "late"), [(23, True), (25, False)])
def test_cancelling_with_less_notice_than_the_policy_asks_is_late(
    clinic: Any, booking: Any, hours: int, late: bool
) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        visit = book(booking(start=timezone.now() + timedelta(hours=hours)), by=SETUP)
    client = client_for("owner", clinic.practice)
    path = f"/api/v1/appointments/{visit.pk}"
    cancelled = client.post(f"{path}/cancel", {}).json()
    assert (cancelled["late_cancel"], cancelled["left_unseen"]) == (late, False)
    assert client.post(f"{path}/undo", {}).json()["late_cancel"] is False


def test_leaving_without_being_seen_is_told_from_a_late_cancellation(clinic: Any, visit: Appointment) -> None:
    client = client_for("owner", clinic.practice)
    path = f"/api/v1/appointments/{visit.pk}"
    client.post(f"{path}/arrive", {})
    left = client.post(f"{path}/cancel", {}).json()
    assert (left["status"], left["left_unseen"], left["late_cancel"]) == ("cancelled", True, False)
    assert client.post(f"{path}/undo", {}).json()["left_unseen"] is False
