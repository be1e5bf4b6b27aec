"""From a due reminder to the message that is queued for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from appointments.models import Appointment, Reminder, ReminderRule
from appointments.services import book
from integrations.messages.delivery import deliver
from integrations.models import Message
from integrations.tasks import send_due_reminders
from patients.models import Consent, ContactPoint, Patient
from practices.tenancy import practice_scope
from tests.appointments.conftest import SETUP
from tests.integrations.counterparts.twilio import TwilioCounterpart

pytestmark = pytest.mark.django_db


@pytest.fixture
def visit(clinic: Any, booking: Callable[..., Any]) -> Appointment:
    """Of a patient with a telephone, with a reminder that is due."""
    with practice_scope(clinic.practice, actor=SETUP):
        ContactPoint.objects.create(patient=clinic.patient, kind="phone", value="+12125550103", use="mobile")
        ReminderRule.objects.create(name="Day before", channel="sms")
        booked = book(booking(), by=SETUP)
        Message.objects.all().delete()
        Reminder.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    return booked


def outcome(clinic: Any) -> tuple[list[str], list[tuple[str, str]]]:
    with practice_scope(clinic.practice, actor=SETUP):
        kinds = list(Message.objects.values_list("kind", flat=True))
        return kinds, list(Reminder.objects.values_list("status", "skip_reason"))


def test_due_reminder_is_queued_once(clinic: Any, visit: Appointment, twilio: TwilioCounterpart) -> None:
    send_due_reminders(timestamp=0)
    send_due_reminders(timestamp=0)
    assert outcome(clinic) == (["appointment-reminder"], [("sent", "")])
    with practice_scope(clinic.practice, actor=SETUP):
        message = Message.objects.get()
    deliver(practice_id=clinic.practice.pk, message_id=message.pk, last_attempt=True)
    (sent,) = twilio.accepted
    assert sent["Body"].startswith("Cedar: reminder of your appointment on")


@pytest.mark.parametrize(
    ("records", "outcomes"),
    [
        ([("sms", "withdrawn")], [("skipped", "patient_opted_out")]),
        ([("sms", "withdrawn"), ("sms", "given")], [("sent", "")]),
        ([("sms", "given"), ("email", "withdrawn")], [("sent", "")]),
    ],
)
def test_who_took_the_channel_s_consent_back_is_not_reminded(
    clinic: Any, visit: Appointment, records: list[tuple[str, str]], outcomes: list[tuple[str, str]]
) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        for hour, (kind, status) in enumerate(records):
            at = timezone.now() - timedelta(hours=9 - hour)
            Consent.objects.create(patient=clinic.patient, kind=kind, status=status, at=at)
    send_due_reminders(timestamp=0)
    assert outcome(clinic)[1] == outcomes


def test_reminder_that_is_not_due_waits(clinic: Any, visit: Appointment) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        Reminder.objects.update(due_at=timezone.now() + timedelta(minutes=1))
    send_due_reminders(timestamp=0)
    assert outcome(clinic) == ([], [("scheduled", "")])


@pytest.mark.parametrize("reason", ["patient_deceased", "not_booked", "not_reachable", "too_late"])
def test_reminder_that_must_not_go_out_is_skipped(clinic: Any, visit: Appointment, reason: str) -> None:
    with practice_scope(clinic.practice, actor=SETUP):
        if reason == "patient_deceased":
            Patient.objects.update(deceased_at=timezone.now())
        elif reason == "not_booked":
            Appointment.objects.update(status="arrived")
        elif reason == "not_reachable":
            ContactPoint.objects.all().delete()
        else:
            visit.start = timezone.now() - timedelta(hours=1)
            visit.end = timezone.now()
            visit.save()
    send_due_reminders(timestamp=0)
    assert outcome(clinic) == ([], [("skipped", reason)])
