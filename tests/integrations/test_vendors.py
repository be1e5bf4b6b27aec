import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from integrations.checks import check_vendors
from integrations.email import get_email_sender

CAPABILITIES = ["EMAIL_VENDOR", "SMS_VENDOR", "PAYMENTS_VENDOR", "STORAGE_VENDOR"]


def test_unknown_vendor_is_refused_with_the_choices(settings: Settings) -> None:
    settings.EMAIL_VENDOR = "pigeon"
    with pytest.raises(ImproperlyConfigured, match="use one of console, sendgrid"):
        get_email_sender()
    assert [problem.msg for problem in check_vendors()] == [
        "EMAIL_VENDOR='pigeon' is unknown: use one of console, sendgrid."
    ]


def test_console_vendors_need_nothing(settings: Settings) -> None:
    for capability in CAPABILITIES:
        setattr(settings, capability, "console")
    assert check_vendors() == []


def test_vendors_without_credentials_are_all_named_at_once(settings: Settings) -> None:
    for capability, vendor in zip(CAPABILITIES, ["sendgrid", "twilio", "stripe", "s3"], strict=True):
        setattr(settings, capability, vendor)
    assert [problem.msg for problem in check_vendors()] == [
        "EMAIL_VENDOR=sendgrid needs SENDGRID_API_KEY: set it in the environment.",
        "SMS_VENDOR=twilio needs TWILIO_ACCOUNT_SID: set it in the environment.",
        "SMS_VENDOR=twilio needs TWILIO_AUTH_TOKEN: set it in the environment.",
        "SMS_VENDOR=twilio needs TWILIO_FROM or TWILIO_MESSAGING_SERVICE_SID: set it in the environment.",
        "PAYMENTS_VENDOR=stripe needs STRIPE_SECRET_KEY: set it in the environment.",
        "PAYMENTS_VENDOR=stripe needs STRIPE_WEBHOOK_SECRET: set it in the environment.",
        "STORAGE_VENDOR=s3 needs S3_BUCKET: set it in the environment.",
    ]
