"""From a due reminder to a message in the queue."""

from django.utils import timezone

from appointments.services.reminders import claim_due
from integrations.messages.services import queue_messages
from integrations.models import MessageKind

BATCH = 500


def send_due() -> None:
    """In the scope of a practice. Reminder and message are one transaction: none goes out twice, or half."""
    now = timezone.now()
    for reminder in claim_due(now, BATCH):
        reason = reminder.refusal(now)
        if not reason:
            queued = queue_messages(
                kind=MessageKind.REMINDER, appointment=reminder.appointment, channel=reminder.channel
            )
            reason = "" if queued else "not_reachable"
        reminder.settle(reason)
