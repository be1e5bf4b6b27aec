"""Which adapter each capability uses, and what each adapter needs in the settings."""

import logging
from typing import Any, Protocol, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

ADAPTERS: dict[str, dict[str, str]] = {
    "EMAIL_VENDOR": {
        "console": "integrations.email.console.ConsoleEmail",
        "sendgrid": "integrations.email.sendgrid.SendGridEmail",
    },
    "SMS_VENDOR": {
        "console": "integrations.sms.console.ConsoleSms",
        "twilio": "integrations.sms.twilio.TwilioSms",
    },
    "PAYMENTS_VENDOR": {
        "console": "integrations.payments.console.ConsolePayments",
        "stripe": "integrations.payments.stripe.StripePayments",
    },
    "STORAGE_VENDOR": {
        "console": "integrations.storage.console.LocalFiles",
        "s3": "integrations.storage.s3.S3Files",
    },
}
# Each entry is a set of alternatives, one of which must be set.
REQUIRED_SETTINGS: dict[str, list[tuple[str, ...]]] = {
    "sendgrid": [("SENDGRID_API_KEY",)],
    "twilio": [("TWILIO_ACCOUNT_SID",), ("TWILIO_AUTH_TOKEN",), ("TWILIO_FROM", "TWILIO_MESSAGING_SERVICE_SID")],
    "stripe": [("STRIPE_SECRET_KEY",), ("STRIPE_WEBHOOK_SECRET",)],
    "s3": [("S3_BUCKET",)],
}
# Below WARNING the SDKs and their HTTP clients log bodies, numbers and addresses, and the queue two lines per job.
CHATTY_LOGGERS = (
    "stripe",
    "twilio",
    "httpx",
    "httpcore",
    "urllib3",
    "boto3",
    "botocore",
    "s3transfer",
    "procrastinate",
)


class Adapter(Protocol):
    @classmethod
    def from_settings(cls) -> Any: ...


def build(setting: str) -> Any:
    """The adapter that `setting` names, imported only now: an unused vendor's SDK is never loaded."""
    name: str = getattr(settings, setting)
    path = ADAPTERS[setting].get(name)
    if path is None:
        raise ImproperlyConfigured(f"{setting}={name!r} is unknown: use one of {', '.join(ADAPTERS[setting])}.")
    return cast(type[Adapter], import_string(path)).from_settings()


def configuration_problems() -> list[str]:
    """One sentence for each vendor that is unknown or lacks a setting."""
    problems = []
    for setting, adapters in ADAPTERS.items():
        name: str = getattr(settings, setting)
        if name not in adapters:
            problems.append(f"{setting}={name!r} is unknown: use one of {', '.join(adapters)}.")
            continue
        problems += [
            f"{setting}={name} needs {' or '.join(alternatives)}: set it in the environment."
            for alternatives in REQUIRED_SETTINGS.get(name, [])
            if not any(getattr(settings, alternative) for alternative in alternatives)
        ]
    return problems


def quiet_libraries() -> None:
    for name in CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
