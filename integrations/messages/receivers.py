"""What a visit's signals lead to. They are sent, and received, inside the transaction that changes the visit."""

from typing import Any

from appointments.models import Appointment
from appointments.signals import appointment_booked, appointment_cancelled, appointment_rescheduled, time_offered
from appointments.transitions import Status
from integrations.messages.services import queue_messages
from integrations.models import MessageKind


def send_confirmation(sender: object, appointment: Appointment, **kwargs: Any) -> None:
    queue_messages(kind=MessageKind.CONFIRMATION, appointment=appointment)


def send_new_time(sender: object, appointment: Appointment, **kwargs: Any) -> None:
    """The confirmation again: the one the patient has names the wrong time now."""
    if appointment.status == Status.BOOKED:
        queue_messages(kind=MessageKind.CONFIRMATION, appointment=appointment)


def send_cancellation(sender: object, appointment: Appointment, **kwargs: Any) -> None:
    """Only to those who were told of the visit and didn't come: not for a hold, not for who left unseen."""
    was_booked = appointment.status_events.filter(to_status=Status.BOOKED).exists()
    if was_booked and appointment.arrived_at is None:
        queue_messages(kind=MessageKind.CANCELLATION, appointment=appointment)


def send_offer(sender: object, appointment: Appointment, **kwargs: Any) -> None:
    queue_messages(kind=MessageKind.OFFER, appointment=appointment)


def connect() -> None:
    time_offered.connect(send_offer)
    appointment_booked.connect(send_confirmation)
    appointment_rescheduled.connect(send_new_time)
    appointment_cancelled.connect(send_cancellation)
