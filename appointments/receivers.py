"""What a visit's own signals lead to inside this app."""

from typing import Any

from django.db.models.signals import post_save

from appointments.models import Appointment
from appointments.services import deaths, reminders, waitlist
from appointments.signals import appointment_booked, appointment_rescheduled, time_freed
from appointments.transitions import Status
from patients.models import Patient
from patients.signals import patient_died
from practices.models import PracticePolicy

QUIET = ("quiet_hours_start", "quiet_hours_end")


def schedule_reminders(sender: object, appointment: Appointment, **kwargs: Any) -> None:
    reminders.schedule([appointment])


def move_reminders(sender: object, appointment: Appointment, **kwargs: Any) -> None:
    if appointment.status == Status.BOOKED:
        reminders.reschedule(appointment)


def cancel_reminders(sender: object, appointment: Appointment, **kwargs: Any) -> None:
    """Not when the visit only moved away."""
    if not appointment.blocks:
        reminders.cancel(appointment)


def accept_offer(sender: object, appointment: Appointment, **kwargs: Any) -> None:
    """Only a hold that was confirmed can have been an offer."""
    if appointment.confirmed_at is not None:
        waitlist.accept(appointment)


def end_offer(sender: object, appointment: Appointment, **kwargs: Any) -> None:
    """A visit that took place, or only moved, was no open offer."""
    if not appointment.blocks:
        waitlist.end(appointment)


def end_what_is_ahead(sender: object, patient: Patient, **kwargs: Any) -> None:
    deaths.end_what_is_ahead(patient)


def apply_quiet_hours(sender: object, instance: PracticePolicy, created: bool, **kwargs: Any) -> None:
    before = instance.loaded_values
    if not created and any(before.get(name) != getattr(instance, name) for name in QUIET):
        reminders.apply_all()


def connect() -> None:
    appointment_booked.connect(schedule_reminders)
    appointment_rescheduled.connect(move_reminders)
    time_freed.connect(cancel_reminders)
    appointment_booked.connect(accept_offer)
    time_freed.connect(end_offer)
    patient_died.connect(end_what_is_ahead)
    post_save.connect(apply_quiet_hours, sender=PracticePolicy)
