"""Keeps the reminders of visits in step with the visits and the rules, in the transaction that changes either."""

from collections.abc import Iterable, Sequence
from datetime import datetime, time
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from appointments.lead_times import QuietHours, due_at
from appointments.models import Appointment, Reminder, ReminderRule
from appointments.transitions import Status
from practices.functions import ask

BATCH = 1000


class _Rule(NamedTuple):
    """A rule for one type of visit, or all, with the practice's quiet hours."""

    pk: UUID
    channel: str
    days_before: int
    minutes_before: int
    only_type: UUID | None
    quiet_from: time | None
    quiet_to: time | None


def schedule(visits: Sequence[Appointment]) -> None:
    """Of visits that were just booked. One statement; a second one when there are rules for them."""
    if rules := _rules():
        _upsert(_planned(visits, rules, timezone.now()))


def cancel(appointment: Appointment) -> None:
    """One statement."""
    appointment.reminders.filter(status=Reminder.Status.SCHEDULED).update(status=Reminder.Status.CANCELLED)


def reschedule(appointment: Appointment) -> None:
    """Of a visit that was moved: what was already sent is sent again before the new time."""
    cancel(appointment)
    schedule([appointment])


@transaction.atomic
def apply(rule: ReminderRule) -> None:
    """Makes a rule that was made or changed hold for what is booked already; who was reminded by it isn't again."""
    Reminder.objects.filter(rule=rule, status=Reminder.Status.SCHEDULED).update(status=Reminder.Status.CANCELLED)
    now = timezone.now()
    rules = _rules(rule.pk)
    reminded = Reminder.objects.filter(rule=rule, status=Reminder.Status.SENT).values("appointment")
    booked = Appointment.objects.filter(status=Status.BOOKED, start__gt=now).select_related("patient").order_by("id")
    if rules:
        _upsert(_planned(booked.exclude(pk__in=reminded).iterator(BATCH), rules, now))


@transaction.atomic
def apply_all() -> None:
    """The same for every rule, after the quiet hours changed."""
    for rule in ReminderRule.objects.filter(active=True):
        apply(rule)


def claim_due(now: datetime, limit: int) -> Iterable[Reminder]:
    """Due reminders that no other worker has in hand, with their visits and patients; locked until the end of the
    transaction. What was due before a visit that has begun is among them, and refused there.
    """
    due = Reminder.objects.filter(status=Reminder.Status.SCHEDULED, due_at__lte=now)
    related = due.select_related("appointment__patient").order_by("due_at", "id")
    rows: Iterable[Reminder] = related.select_for_update(of=("self",), skip_locked=True)[:limit]
    return rows


def _rules(only: UUID | None = None) -> list[_Rule]:
    """Those in use, one for each of their types; one statement."""
    return [_Rule(*row) for row in ask("appointments_reminder_rules(%s, %s)", only)]


def _planned(visits: Iterable[Appointment], rules: Sequence[_Rule], now: datetime) -> Iterable[Reminder]:
    for visit in visits:
        if visit.start is None:
            continue
        for rule in rules:
            if rule.only_type not in (None, visit.appointment_type_id):
                continue
            due = due_at(
                visit.start,
                ZoneInfo(visit.time_zone),
                days=rule.days_before,
                minutes=rule.minutes_before,
                quiet=_quiet(rule, visit),
            )
            if due > now:
                yield Reminder(appointment=visit, rule_id=rule.pk, channel=rule.channel, due_at=due)


def _quiet(rule: _Rule, visit: Appointment) -> QuietHours | None:
    """On the patient's own clock, where it is known."""
    if rule.quiet_from is None or rule.quiet_to is None:
        return None
    return QuietHours(rule.quiet_from, rule.quiet_to, ZoneInfo(visit.patient.time_zone or visit.time_zone))


def _upsert(reminders: Iterable[Reminder]) -> None:
    reminders = list(reminders)
    if not reminders:
        return
    Reminder.objects.bulk_create(
        reminders,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["practice", "appointment", "rule"],
        update_fields=["channel", "due_at", "status", "skip_reason", "updated_at"],
    )
