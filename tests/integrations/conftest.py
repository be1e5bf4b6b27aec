from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from pytest_django import Settings

from tests.appointments.conftest import booking, clinic, in_clinic
from tests.integrations.counterparts.sendgrid import SendGridCounterpart
from tests.integrations.counterparts.stripe import StripeCounterpart
from tests.integrations.counterparts.twilio import TwilioCounterpart

__all__ = ["booking", "clinic", "in_clinic"]


@pytest.fixture
def sendgrid(settings: Settings) -> Iterator[SendGridCounterpart]:
    with SendGridCounterpart("SG.test-key") as counterpart:
        settings.EMAIL_VENDOR = "sendgrid"
        settings.SENDGRID_API_KEY = counterpart.api_key
        settings.SENDGRID_BASE_URL = counterpart.url
        settings.DEFAULT_FROM_EMAIL = "clinic@northside.test"
        yield counterpart


@pytest.fixture
def twilio(settings: Settings) -> Iterator[TwilioCounterpart]:
    with TwilioCounterpart("AC" + "0" * 32, "test-token") as counterpart:
        settings.SMS_VENDOR = "twilio"
        settings.TWILIO_ACCOUNT_SID = counterpart.account_sid
        settings.TWILIO_AUTH_TOKEN = counterpart.auth_token
        settings.TWILIO_BASE_URL = counterpart.url
        settings.TWILIO_FROM = "+15005550006"
        settings.TWILIO_MESSAGING_SERVICE_SID = ""
        yield counterpart


@pytest.fixture
def stripe_api(settings: Settings) -> Iterator[StripeCounterpart]:
    with StripeCounterpart("sk_test_key") as counterpart:
        settings.PAYMENTS_VENDOR = "stripe"
        settings.STRIPE_SECRET_KEY = counterpart.secret_key
        settings.STRIPE_WEBHOOK_SECRET = "whsec_test"
        settings.STRIPE_BASE_URL = counterpart.url
        yield counterpart


@pytest.fixture
def run_in_thread() -> Iterator[Callable[..., "Future[Any]"]]:
    """Starts a function on a thread of its own; its result is a Future."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit
