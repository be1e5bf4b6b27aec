"""From a booked or cancelled visit to a message in the queue."""

from django.db import transaction
from django.utils import timezone
from procrastinate.types import JSONDict

from appointments.models import Appointment
from integrations.models import Message, MessageChannel, MessageKind, MessageTemplate
from integrations.queue import enqueue, queued_by
from integrations.tasks import send_message
from patients.models import ContactPoint


@transaction.atomic(savepoint=False)
def queue_messages(*, kind: MessageKind, appointment: Appointment, channel: str | None = None) -> list[Message]:
    """A message, and the job that sends it, for each channel the practice uses and the patient can be reached on, or
    for the one that is named.

    In the caller's transaction: without the booking there is no message and no job. Nothing for a visit in the past,
    and nothing to the deceased.
    """
    if appointment.start is None or appointment.start <= timezone.now() or appointment.patient.deceased_at is not None:
        return []
    templates = MessageTemplate.objects.filter(kind=kind, active=True)
    if channel is not None:
        templates = templates.filter(channel=channel)
    channels = list(templates.values_list("channel", flat=True))
    if not channels:
        return []
    addresses = _addresses(appointment)
    messages = [
        Message(
            kind=kind,
            channel=channel,
            to=addresses[channel],
            patient_id=appointment.patient_id,
            appointment_id=appointment.pk,
        )
        for channel in channels
        if channel in addresses
    ]
    if messages:
        Message.objects.bulk_create(messages)
        by = queued_by()
        jobs: list[JSONDict] = [
            {"practice_id": str(row.practice_id), "message_id": str(row.pk), "queued_by": by} for row in messages
        ]
        enqueue(send_message, *jobs)
    return messages


def _addresses(appointment: Appointment) -> dict[str, str]:
    """channel -> the patient's primary email address, and telephone, a mobile first. One query."""
    points = list(ContactPoint.objects.filter(patient_id=appointment.patient_id).exclude(use=ContactPoint.Use.OLD))
    emails = [point.value for point in points if point.kind == ContactPoint.Kind.EMAIL]
    mobile_first = sorted(points, key=lambda point: point.use != ContactPoint.Use.MOBILE)
    phones = [point.value for point in mobile_first if point.kind == ContactPoint.Kind.PHONE]
    reachable = {
        MessageChannel.EMAIL.value: emails,
        MessageChannel.SMS.value: [phone for phone in phones if ";" not in phone],  # no texts to an extension
    }
    return {channel: values[0] for channel, values in reachable.items() if values}
