"""Reminders follow the visit and the rules, in the transaction that changes either."""

from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.roles import Access, Area, Role, allowed
from appointments.models import Appointment, Reminder, ReminderRule
from appointments.services import Move, book, cancel, change_status, reschedule
from appointments.services.allocation import expire
from appointments.transitions import Action
from patients.models import Patient
from practices.models import Practice, PracticePolicy
from practices.tenancy import practice_scope
from tests.appointments.conftest import SETUP, calendar_of, tomorrow_at
from tests.clients import client_for

URL = "/api/v1/reminder-rules"
Make = Callable[..., Any]


def rule_for(*types: Any, **values: Any) -> ReminderRule:
    rule: ReminderRule = ReminderRule.objects.create(
        **{"name": f"Rule {ReminderRule.objects.count()}", "channel": "sms", **values}
    )
    rule.appointment_types.set(types)
    return rule


def of(visit: Appointment) -> list[tuple[Any, str]]:
    return [(each.due_at, each.status) for each in visit.reminders.order_by("due_at")]


def test_booking_schedules_a_reminder_for_each_rule_of_its_type(in_clinic: Any, booking: Make) -> None:
    other = calendar_of(in_clinic.practice, "Moss").visit
    rule_for(days_before=1)
    rule_for(in_clinic.visit, other, days_before=0, minutes_before=120)
    rule_for(other, days_before=0, minutes_before=30)
    rule_for(days_before=0, minutes_before=60, active=False)
    visit = book(booking(), by=SETUP)
    assert of(visit) == [
        (tomorrow_at(15) - timedelta(days=1), "scheduled"),
        (tomorrow_at(13), "scheduled"),
    ]


def test_no_reminder_whose_time_has_passed(in_clinic: Any, booking: Make) -> None:
    rule_for(days_before=10)
    assert of(book(booking(), by=SETUP)) == []


def test_hold_is_reminded_of_once_it_is_booked_and_not_when_it_runs_out(in_clinic: Any, booking: Make) -> None:
    rule_for()
    held = book(booking(hold=True), by=SETUP)
    lapsed = book(booking(hold=True, start=tomorrow_at(17)), by=SETUP)
    assert of(held) == []
    change_status(held, Action.CONFIRM, by=SETUP)
    expire(lapsed)
    assert [status for _, status in of(held)] == ["scheduled"]
    assert of(lapsed) == []


def test_moving_moves_and_what_is_too_late_then_is_cancelled(in_clinic: Any, booking: Make) -> None:
    rule_for(days_before=1)
    rule_for(days_before=0, minutes_before=30)
    visit = book(booking(), by=SETUP)
    reschedule(visit, Move(start=tomorrow_at(16)), by=SETUP)
    assert of(visit) == [
        (tomorrow_at(16) - timedelta(days=1), "scheduled"),
        (tomorrow_at(15, 30), "scheduled"),
    ]
    soon = timezone.now().replace(second=0, microsecond=0) + timedelta(hours=2)
    reschedule(visit, Move(start=soon), by=SETUP)
    assert of(visit) == [
        (soon - timedelta(minutes=30), "scheduled"),
        (tomorrow_at(16) - timedelta(days=1), "cancelled"),
    ]


def test_a_sent_reminder_is_sent_again_for_another_time(in_clinic: Any, booking: Make) -> None:
    rule_for()
    visit = book(booking(), by=SETUP)
    visit.reminders.get().settle()
    reschedule(visit, Move(start=tomorrow_at(16)), by=SETUP)
    assert of(visit) == [(tomorrow_at(16) - timedelta(days=1), "scheduled")]


def test_cancelling_cancels_and_undo_schedules_again(in_clinic: Any, booking: Make) -> None:
    rule_for()
    visit = book(booking(), by=SETUP)
    cancel(visit, by=SETUP)
    assert [status for _, status in of(visit)] == ["cancelled"]
    change_status(visit, Action.UNDO, by=SETUP)
    assert [status for _, status in of(visit)] == ["scheduled"]
    change_status(visit, Action.ENTER_IN_ERROR, by=SETUP)
    assert [status for _, status in of(visit)] == ["cancelled"]


def test_booking_that_is_undone_leaves_no_reminder(in_clinic: Any, booking: Make) -> None:
    rule_for()
    with pytest.raises(RuntimeError), transaction.atomic():
        book(booking(), by=SETUP)
        raise RuntimeError
    assert not Reminder.objects.exists()


def test_quiet_hours_are_the_patient_s_and_a_change_of_them_moves_what_is_scheduled(
    in_clinic: Any, booking: Make
) -> None:
    in_clinic.patient.time_zone = "UTC"
    in_clinic.patient.save()
    rule_for(days_before=0, minutes_before=60)
    visit = book(booking(), by=SETUP)
    assert of(visit) == [(tomorrow_at(14), "scheduled")]
    policy = PracticePolicy.objects.get()
    policy.quiet_hours_start, policy.quiet_hours_end = time(13), time(14, 30)
    policy.save()
    assert of(visit) == [(tomorrow_at(14, 30), "scheduled")]


def test_booking_costs_one_statement_without_rules_and_two_with_any_number(
    in_clinic: Any, booking: Make, django_assert_num_queries: Any
) -> None:
    from appointments.services import reminders

    visit = book(booking(), by=SETUP)
    with django_assert_num_queries(1):
        reminders.schedule([visit])
    for minutes in (30, 60, 90):
        rule_for(days_before=0, minutes_before=minutes)
    with django_assert_num_queries(2):  # the rules; the rows
        reminders.schedule([visit])
    assert len(of(visit)) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"deceased_at": timezone.now()}, "patient_deceased"),
        ({"status": "archived"}, "patient_not_active"),
        ({}, ""),
    ],
)
def test_who_died_or_left_is_not_reminded(in_clinic: Any, booking: Make, change: dict[str, Any], reason: str) -> None:
    rule_for()
    visit = book(booking(), by=SETUP)
    if change:
        Patient.objects.filter(pk=in_clinic.patient.pk).update(**change)
    assert Reminder.objects.get(appointment=visit).refusal(timezone.now()) == reason


# --- Rules over HTTP ----------------------------------------------------------------------------------


def test_new_rule_holds_for_what_is_booked_already(clinic: Any, booking: Make) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        visit = book(booking(), by=SETUP)
        gone = book(booking(start=tomorrow_at(17)), by=SETUP)
        cancel(gone, by=SETUP)
    client = client_for("owner", clinic.practice)
    body = {"name": "Day before", "channel": "email", "appointment_types": [str(clinic.visit.pk)]}
    made = client.post(URL, body)
    assert made.status_code == 201, made.json()
    rule = made.json()
    assert (rule["days_before"], rule["minutes_before"], rule["active"]) == (1, 0, True)
    assert rule["appointment_types"] == [str(clinic.visit.pk)]

    def shown() -> list[tuple[str, str]]:
        answer = client.get(f"/api/v1/appointments/{visit.pk}/reminders").json()
        return [(each["due_at"], each["status"]) for each in answer]

    def at(when: Any) -> str:
        return str(when.isoformat().replace("+00:00", "Z"))

    assert shown() == [(at(tomorrow_at(15) - timedelta(days=1)), "scheduled")]
    changed = client.patch(f"{URL}/{rule['id']}", {"days_before": 0, "minutes_before": 90, "appointment_types": []})
    assert changed.status_code == 200, changed.json()
    assert shown() == [(at(tomorrow_at(13, 30)), "scheduled")]
    client.patch(f"{URL}/{rule['id']}", {"active": False})
    assert shown() == [(at(tomorrow_at(13, 30)), "cancelled")]
    with practice_scope(clinic.practice, actor=SETUP):
        assert not gone.reminders.exists()
    assert client.delete(f"{URL}/{rule['id']}").status_code == 204
    assert shown() == []


def test_minutes_alone_are_all_there_is(clinic: Any) -> None:
    made = client_for("owner", clinic.practice).post(URL, {"name": "Soon", "channel": "sms", "minutes_before": 90})
    assert (made.json()["days_before"], made.json()["minutes_before"]) == (0, 90)


def test_changed_rule_does_not_remind_twice(in_clinic: Any, booking: Make) -> None:
    from appointments.services import reminders

    rule = rule_for()
    visit = book(booking(), by=SETUP)
    visit.reminders.get().settle()
    rule.minutes_before = 60
    rule.save()
    reminders.apply(rule)
    assert [status for _, status in of(visit)] == ["sent"]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"days_before": 0, "minutes_before": 0}, "", "invalid"),
        ({"days_before": 61}, "/days_before", "max_value"),
        ({"minutes_before": 1441}, "/minutes_before", "max_value"),
        ({"channel": "pigeon"}, "/channel", "invalid_choice"),
        ({"appointment_types": ["00000000-0000-7000-8000-000000000000"]}, "/appointment_types", "does_not_exist"),
        ({"colour": "red"}, "/colour", "unknown_field"),
    ],
)
def test_bad_rule_is_refused(clinic: Any, change: dict[str, Any], pointer: str, code: str) -> None:
    response = client_for("owner", clinic.practice).post(URL, {"name": "Bad", "channel": "sms", **change})
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["pointer"].rstrip("/0"), error["code"]) == (pointer, code)
    with practice_scope(clinic.practice, actor=SETUP):
        assert not ReminderRule.objects.exists()


@pytest.mark.parametrize("role", Role.values)
def test_each_role_does_what_the_table_says(clinic: Any, role: str) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        rule = rule_for()
    client = client_for(role, clinic.practice)
    may_write = allowed([role], Area.PRACTICE_SETTINGS, Access.WRITE)
    assert client.get(URL).status_code == 200
    assert client.post(URL, {"name": "New", "channel": "sms"}).status_code == (201 if may_write else 403)
    assert client.patch(f"{URL}/{rule.pk}", {"active": False}).status_code == (200 if may_write else 403)
    assert client.delete(f"{URL}/{rule.pk}").status_code == (204 if may_write else 403)


def test_strangers_find_nothing(clinic: Any, booking: Make, other_practice: Practice) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        rule, visit = rule_for(), book(booking(), by=SETUP)
    stranger = client_for("owner", other_practice)
    assert stranger.get(URL).json()["results"] == []
    for path in (f"{URL}/{rule.pk}", f"/api/v1/appointments/{visit.pk}/reminders"):
        assert stranger.get(path).status_code == 404
    theirs = {"name": "Theirs", "channel": "sms", "appointment_types": [str(clinic.visit.pk)]}
    refused = stranger.post(URL, theirs).json()
    assert [error["code"] for error in refused["errors"]] == ["does_not_exist"]
