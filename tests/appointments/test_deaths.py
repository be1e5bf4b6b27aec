"""Nothing is ahead of a patient who has died."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments.models import Appointment, StatusEvent, WaitlistEntry
from appointments.services import book, change_status, waitlist
from appointments.services.deaths import REASON
from appointments.transitions import Action
from config.api.problem import ValidationProblem
from patients.models import ContactPoint, Patient
from patients.services import merging
from practices.models import PracticePolicy
from practices.tenancy import practice_scope
from tests.admin.pages import filled, staff, url
from tests.appointments.conftest import SETUP, tomorrow_at
from tests.clients import client_for

pytestmark = pytest.mark.django_db
MakeBooking = Callable[..., Any]


def statuses(*rows: Any) -> list[str]:
    return [type(row)._default_manager.get(pk=row.pk).status for row in rows]


def test_what_is_ahead_ends_when_a_death_is_noted(clinic: Any, booking: MakeBooking) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        PracticePolicy.objects.update_or_create(defaults={"require_cancel_reason": True})
        other = Patient.objects.create(given_name="Bo", family_name="Ek")
        ContactPoint.objects.create(patient=clinic.patient, kind="email", value="ada@example.test")
        visit, hold, theirs, past = (
            book(booking(**changes), by=SETUP)
            for changes in (
                {},
                {"start": tomorrow_at(16), "hold": True},
                {"start": tomorrow_at(17), "patient": other},
                {"start": timezone.now() - timedelta(hours=2)},
            )
        )
        wish = {"appointment_type": clinic.visit, "earliest_date": tomorrow_at(0).date()}
        entries = [WaitlistEntry.objects.create(patient=each, **wish) for each in (clinic.patient, other)]
        offered = WaitlistEntry.objects.create(patient=clinic.patient, location=clinic.location, **wish)
        offer = waitlist.offer(offered, by=SETUP, start=tomorrow_at(18), provider=clinic.provider)
    path, desk = f"/api/v1/patients/{clinic.patient.pk}", client_for("front_desk", clinic.practice)
    died = desk.patch(path, {"deceased_at": timezone.now().isoformat()})
    assert died.status_code == 200, died.content
    with practice_scope(clinic.practice, actor=SETUP):
        assert statuses(visit, hold, offer, theirs, past) == ["cancelled", "cancelled", "cancelled", "booked", "booked"]
        assert statuses(*entries, offered) == ["withdrawn", "waiting", "withdrawn"]
        assert StatusEvent.objects.get(appointment=visit, action="cancel").reason == REASON
        assert book(booking(patient=other), by=SETUP).status == "booked"
        gone = Appointment.objects.get(pk=visit.pk)
        with pytest.raises(ValidationProblem):
            change_status(gone, Action.UNDO, by=SETUP)


def test_noting_a_death_again_or_taking_it_back_touches_no_visit(clinic: Any, booking: MakeBooking) -> None:
    owner, address = staff("owner", clinic.practice), url(Patient, "change", clinic.patient.pk)
    with practice_scope(clinic.practice, actor=SETUP):
        visit = book(booking(), by=SETUP)
    died = {"deceased_at_0": "2026-01-02", "deceased_at_1": "10:00:00"}
    assert owner.post(address, filled(owner.get(address), **died)).status_code == 302
    with practice_scope(clinic.practice, actor=SETUP):
        assert statuses(visit) == ["cancelled"]
        Appointment.objects.filter(pk=visit.pk).update(status="booked")
    for again in ({"deceased_at_1": "11:00:00"}, {"deceased_at_0": "", "deceased_at_1": ""}):
        assert owner.post(address, filled(owner.get(address), **again)).status_code == 302
    with practice_scope(clinic.practice, actor=SETUP):
        assert (statuses(visit), Patient.objects.get(pk=clinic.patient.pk).deceased_at) == (["booked"], None)


def test_chart_that_is_merged_into_one_of_somebody_who_died_has_nothing_ahead(
    clinic: Any, booking: MakeBooking
) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        dead = Patient.objects.create(given_name="Ada", family_name="Ek", deceased_at=timezone.now())
        visit = book(booking(), by=SETUP)
        entry = WaitlistEntry.objects.create(
            patient=clinic.patient, appointment_type=clinic.visit, earliest_date=tomorrow_at(0).date()
        )
        merging.foresee_merge(survivor=dead, source=clinic.patient, by=SETUP)
        assert statuses(visit, entry) == ["booked", "waiting"]
        merge = merging.merge(survivor=dead, source=clinic.patient, reason="Same", by=SETUP)
        assert statuses(visit, entry) == ["cancelled", "withdrawn"]
    with practice_scope(clinic.practice, actor=SETUP):
        merging.reverse(merge=merge, by=SETUP)
        back = Appointment.objects.get(pk=visit.pk)
        assert (back.patient_id, back.status) == (clinic.patient.pk, "cancelled")
        assert change_status(back, Action.UNDO, by=SETUP).status == "booked"
