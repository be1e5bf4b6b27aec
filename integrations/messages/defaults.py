"""The wording a new practice starts with."""

from typing import Any

from integrations.models import MessageChannel, MessageKind, MessageTemplate

_WHEN = "{{ start_date }} at {{ start_time }}"
_TEMPLATES = {
    (MessageKind.CONFIRMATION, MessageChannel.EMAIL): (
        "Your appointment at {{ practice_name }}",
        "Hello {{ patient_given_name }},\n\n"
        f"your appointment at {{{{ practice_name }}}}, {{{{ location_name }}}}, is on {_WHEN}.\n\n"
        "If you can't come, please let us know.\n",
    ),
    (MessageKind.CONFIRMATION, MessageChannel.SMS): ("", f"{{{{ practice_name }}}}: your appointment is on {_WHEN}."),
    (MessageKind.CANCELLATION, MessageChannel.EMAIL): (
        "Your appointment at {{ practice_name }} is cancelled",
        "Hello {{ patient_given_name }},\n\n"
        f"your appointment at {{{{ practice_name }}}} on {_WHEN} is cancelled.\n\n"
        "Please call us for another time.\n",
    ),
    (MessageKind.CANCELLATION, MessageChannel.SMS): (
        "",
        f"{{{{ practice_name }}}}: your appointment on {_WHEN} is cancelled.",
    ),
    (MessageKind.REMINDER, MessageChannel.EMAIL): (
        "Reminder: your appointment at {{ practice_name }}",
        "Hello {{ patient_given_name }},\n\n"
        f"this is a reminder of your appointment at {{{{ practice_name }}}}, {{{{ location_name }}}}, on {_WHEN}.\n\n"
        "If you can't come, please let us know.\n",
    ),
    (MessageKind.REMINDER, MessageChannel.SMS): (
        "",
        f"{{{{ practice_name }}}}: reminder of your appointment on {_WHEN}.",
    ),
    (MessageKind.OFFER, MessageChannel.EMAIL): (
        "An earlier time at {{ practice_name }}",
        "Hello {{ patient_given_name }},\n\n"
        f"a time has become free at {{{{ practice_name }}}}, {{{{ location_name }}}}: {_WHEN}.\n\n"
        "We keep it for you for a short while. Please call us if you would like to have it.\n",
    ),
    (MessageKind.OFFER, MessageChannel.SMS): (
        "",
        f"{{{{ practice_name }}}}: {_WHEN} has become free. Call us soon if you would like to have it.",
    ),
}


def create_default_templates(**kwargs: Any) -> None:
    """Receives `practice_created`, which is sent in the new practice's scope."""
    MessageTemplate.objects.bulk_create(
        MessageTemplate(kind=kind, channel=channel, subject=subject, body=body)
        for (kind, channel), (subject, body) in _TEMPLATES.items()
    )
