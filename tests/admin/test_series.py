"""Series in the admin: booked, moved and ended by the services of the API, with the same refusals."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from appointments.models import Appointment, AppointmentSeries
from audit.models import AuditEvent
from patients.models import Patient
from practices.tenancy import practice_scope
from tests.admin.pages import AdminClient, staff, url
from tests.admin.test_writes import clinic as clinic
from tests.admin.test_writes import desk as desk
from tests.admin.test_writes import shown_errors
from tests.appointments.conftest import calendar_of
from tests.rows import SETUP

DAY = timezone.now().date() + timedelta(days=3)


def wish(clinic: Any, **changes: Any) -> dict[str, Any]:
    asked = {
        "patient": clinic.patient.pk,
        "appointment_type": clinic.visit.pk,
        "provider": clinic.provider.pk,
        "location": clinic.location.pk,
        "start_0": DAY.isoformat(),
        "start_1": "10:00",
        "repeats": "FREQ=WEEKLY",
        "visits": "3",
        "on_conflict": "refuse",
        "notes": "",
    }
    return {**asked, **changes}


def booked(desk: AdminClient, clinic: Any) -> AppointmentSeries:
    desk.post(url(AppointmentSeries, "add"), wish(clinic))
    with practice_scope(clinic.practice, actor=SETUP):
        series: AppointmentSeries = AppointmentSeries.objects.get()
        return series


def starts(clinic: Any) -> list[str]:
    zone = ZoneInfo("America/New_York")
    with practice_scope(clinic.practice, actor=SETUP):
        visits = Appointment.objects.exclude(status="cancelled").order_by("start")
        return [f"{visit.start.astimezone(zone):%m-%d %H:%M}" for visit in visits if visit.start]


def weekly(hour: int, *weeks: int) -> list[str]:
    return [f"{datetime.combine(DAY + timedelta(weeks=week), time(hour)):%m-%d %H:%M}" for week in weeks]


def test_a_series_is_booked_shown_moved_and_cancelled(clinic: Any, desk: AdminClient) -> None:
    series = booked(desk, clinic)
    assert starts(clinic) == weekly(10, 0, 1, 2)
    page = desk.get(url(AppointmentSeries, "change", series.pk))
    assert page.status_code == 200
    assert [str(row) for row in page.context["inline_admin_formsets"][0].formset.queryset] == [
        f"{DAY + timedelta(weeks=week)} 10:00" for week in range(3)
    ]
    to = {"start_0": DAY.isoformat(), "start_1": "11:00", "on_conflict": "refuse"}
    assert desk.post(url(AppointmentSeries, "do", series.pk, "move"), to).status_code == 302
    assert starts(clinic) == weekly(11, 0, 1, 2)
    assert desk.post(url(AppointmentSeries, "do", series.pk, "cancel"), {"note": "Moved away"}).status_code == 302
    assert starts(clinic) == []
    with practice_scope(clinic.practice, actor=SETUP):
        made = AuditEvent.objects.filter(actor_id=desk.user.pk, action="create", entity="appointments.appointment")
        assert made.count() == 3


def test_a_refused_series_says_which_days_are_taken_and_skips_them_when_asked(clinic: Any, desk: AdminClient) -> None:
    single = {name: value for name, value in wish(clinic).items() if name not in {"repeats", "visits", "on_conflict"}}
    assert desk.post(url(Appointment, "add"), single).status_code == 302
    refused = desk.post(url(AppointmentSeries, "add"), wish(clinic))
    assert refused.status_code == 409
    assert "taken." in shown_errors(refused)
    assert starts(clinic) == weekly(10, 0)
    assert desk.post(url(AppointmentSeries, "add"), wish(clinic, on_conflict="skip")).status_code == 302
    assert starts(clinic) == weekly(10, 0, 1, 2)


def test_from_a_visit_on_the_earlier_ones_stay(clinic: Any, desk: AdminClient) -> None:
    series = booked(desk, clinic)
    with practice_scope(clinic.practice, actor=SETUP):
        second = Appointment.objects.get(series=series, series_index=2)
    later = {"appointment": second.pk, "start_0": DAY + timedelta(weeks=1), "start_1": "11:00", "on_conflict": "refuse"}
    assert desk.post(url(AppointmentSeries, "do", series.pk, "move"), later).status_code == 302
    assert starts(clinic) == [*weekly(10, 0), *weekly(11, 1, 2)]
    with practice_scope(clinic.practice, actor=SETUP):
        moved, last = Appointment.objects.filter(start__gte=second.start).order_by("start")
    answer = desk.post(url(AppointmentSeries, "do", moved.series_id, "cancel"), {"appointment": last.pk})
    assert answer.status_code == 302
    assert starts(clinic) == [*weekly(10, 0), *weekly(11, 1)]


def test_a_visit_of_another_series_is_no_beginning(clinic: Any, desk: AdminClient) -> None:
    series = booked(desk, clinic)
    with practice_scope(clinic.practice, actor=SETUP):
        other = calendar_of(clinic.practice, "Moss")
    desk.post(url(AppointmentSeries, "add"), wish(clinic, provider=other.provider.pk))
    with practice_scope(clinic.practice, actor=SETUP):
        foreign = Appointment.objects.exclude(series=series).first()
    assert foreign is not None
    answer = desk.post(url(AppointmentSeries, "do", series.pk, "cancel"), {"appointment": foreign.pk})
    assert (answer.status_code, len(starts(clinic))) == (200, 6)


@pytest.mark.parametrize("changes", [{"visits": "1"}, {"visits": "201"}, {"repeats": "FREQ=YEARLY"}, {"start_1": ""}])
def test_a_form_that_can_t_be_read_books_nothing(clinic: Any, desk: AdminClient, changes: dict[str, str]) -> None:
    response = desk.post(url(AppointmentSeries, "add"), wish(clinic, **changes))
    assert (response.status_code, starts(clinic)) == (200, [])
    assert shown_errors(response)


def test_moving_to_nowhere_is_asked_again(clinic: Any, desk: AdminClient) -> None:
    series = booked(desk, clinic)
    nothing = {"start_0": "", "start_1": "", "on_conflict": "refuse"}
    assert desk.post(url(AppointmentSeries, "do", series.pk, "move"), nothing).status_code == 200
    assert starts(clinic) == weekly(10, 0, 1, 2)


def test_the_series_of_a_restricted_patient_has_no_name_and_no_buttons(clinic: Any, desk: AdminClient) -> None:
    series = booked(desk, clinic)
    with practice_scope(clinic.practice, actor=SETUP):
        Patient.objects.filter(pk=clinic.patient.pk).update(restricted=True)
    page = desk.get(url(AppointmentSeries, "changelist"))
    assert "Restricted patient" in page.content.decode()
    assert str(clinic.patient) not in page.content.decode()
    assert desk.post(url(AppointmentSeries, "do", series.pk, "cancel"), {}).status_code == 403
    assert starts(clinic) == weekly(10, 0, 1, 2)


def test_the_list_costs_the_same_queries_for_any_number_of_series(
    clinic: Any, django_assert_max_num_queries: Any
) -> None:
    desk = staff("front_desk", clinic.practice)
    booked(desk, clinic)
    with practice_scope(clinic.practice, actor=SETUP):
        other = calendar_of(clinic.practice, "Moss")
    desk.post(url(AppointmentSeries, "add"), wish(clinic, provider=other.provider.pk))
    with django_assert_max_num_queries(25):
        assert len(desk.get(url(AppointmentSeries, "changelist")).context["cl"].result_list) == 2
