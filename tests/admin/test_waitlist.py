from __future__ import annotations

from datetime import date, time
from typing import Any

from appointments.models import Appointment, AvailabilityRule, WaitlistEntry
from patients.models import Patient
from practices.tenancy import practice_scope
from tests.admin.pages import filled, staff, url
from tests.rows import SETUP


def test_the_desk_adds_offers_and_withdraws(clinic: Any) -> None:
    desk = staff("front_desk", clinic.practice)
    add = url(WaitlistEntry, "add")
    body = filled(desk.get(add), patient=str(clinic.patient.pk), appointment_type=str(clinic.visit.pk), priority="3")
    body |= {"earliest_date": "2026-01-01", "windows-TOTAL_FORMS": "1", "windows-0-weekday": ""}
    body |= {"windows-0-start_time": "09:00", "windows-0-end_time": "12:00"}
    assert desk.post(add, body).status_code == 302
    with practice_scope(clinic.practice, actor=SETUP):
        entry = WaitlistEntry.objects.get()
        assert [(each.weekday, each.start_time) for each in entry.windows.all()] == [(None, time(9))]
    refused = desk.post(url(WaitlistEntry, "do", entry.pk, "offer"), follow=True)
    assert "Nothing that the patient wants is free." in refused.content.decode()
    with practice_scope(clinic.practice, actor=SETUP):
        for weekday in range(7):
            AvailabilityRule.objects.create(
                resource=clinic.calendar,
                location=clinic.location,
                weekday=weekday,
                start_time=time(8),
                end_time=time(18),
                valid_from=date(2026, 1, 1),
            )
    assert desk.post(url(WaitlistEntry, "do", entry.pk, "offer")).status_code == 302
    with practice_scope(clinic.practice, actor=SETUP):
        hold = Appointment.objects.get(status="pending")
    assert "Ada" in desk.get(url(WaitlistEntry, "change", entry.pk)).content.decode()
    assert desk.post(url(WaitlistEntry, "do", entry.pk, "withdraw")).status_code == 302
    with practice_scope(clinic.practice, actor=SETUP):
        hold.refresh_from_db()
        entry.refresh_from_db()
        assert (hold.status, entry.status) == ("cancelled", "withdrawn")


def test_deceased_patient_is_refused_in_the_form(clinic: Any) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        Patient.objects.filter(pk=clinic.patient.pk).update(deceased_at="2026-01-01T00:00:00Z")
    desk = staff("front_desk", clinic.practice)
    add = url(WaitlistEntry, "add")
    body = filled(desk.get(add), patient=str(clinic.patient.pk), appointment_type=str(clinic.visit.pk))
    refused = desk.post(add, {**body, "earliest_date": "2026-01-01"})
    assert refused.status_code == 400
    assert "This patient has died." in refused.content.decode()


def test_restricted_patient_is_no_name_to_the_desk(clinic: Any) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        entry = WaitlistEntry.objects.create(
            patient=clinic.patient, appointment_type=clinic.visit, earliest_date=date(2026, 1, 1)
        )
        Patient.objects.filter(pk=clinic.patient.pk).update(restricted=True)
    desk = staff("front_desk", clinic.practice)
    for page in (url(WaitlistEntry, "changelist"), url(WaitlistEntry, "change", entry.pk)):
        shown = desk.get(page).content.decode()
        assert "Restricted patient" in shown
        assert "Vale, Ada" not in shown
    assert desk.post(url(WaitlistEntry, "do", entry.pk, "withdraw")).status_code == 403
