import socket
import time

import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from pytest_django import Settings

from integrations.email import Email, SentEmail, get_email_sender
from integrations.errors import PermanentVendorError, RetryableVendorError
from tests.integrations.counterparts.sendgrid import SendGridCounterpart
from tests.integrations.counterparts.server import Response

BACKEND = "integrations.email.backend.SendGridBackend"


def an_email(**changes: str) -> Email:
    values = {"to": "ada@example.test", "subject": "Your visit", "text": "See you at 10:00.", "reference": "m-1"}
    return Email(**(values | changes))


def test_sendgrid_send_is_accepted_with_the_mail_as_asked(sendgrid: SendGridCounterpart) -> None:
    sent = get_email_sender().send(an_email(from_name="Northside"))
    assert sent.vendor == "sendgrid"
    assert len(sent.vendor_id) == 22
    assert sendgrid.accepted == [
        {
            "personalizations": [{"to": [{"email": "ada@example.test"}], "custom_args": {"reference": "m-1"}}],
            "from": {"email": "clinic@northside.test", "name": "Northside"},
            "subject": "Your visit",
            "content": [{"type": "text/plain", "value": "See you at 10:00."}],
        }
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": "not an address"}, "400:personalizations.0.to.0.email"),
        ({"subject": ""}, "400:subject"),
        ({"text": ""}, "400:content.0.value"),
    ],
)
def test_sendgrid_refusal_is_permanent_and_names_the_field(
    sendgrid: SendGridCounterpart, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(PermanentVendorError) as refused:
        get_email_sender().send(an_email(**changes))
    assert refused.value.code == code


def test_sendgrid_wrong_key_is_permanent(sendgrid: SendGridCounterpart, settings: Settings) -> None:
    settings.SENDGRID_API_KEY = "SG.other"
    with pytest.raises(PermanentVendorError, match="sendgrid answered 401"):
        get_email_sender().send(an_email())


def test_sendgrid_rate_limit_is_retryable_after_its_window(sendgrid: SendGridCounterpart) -> None:
    limited = {"errors": [{"field": None, "message": "too many requests"}]}
    reset = {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 30)}
    sendgrid.answer_next.append(Response(429, limited, reset))
    with pytest.raises(RetryableVendorError) as refused:
        get_email_sender().send(an_email())
    assert refused.value.retry_after is not None
    assert 25 < refused.value.retry_after <= 30


def test_sendgrid_outage_is_retryable(sendgrid: SendGridCounterpart) -> None:
    sendgrid.answer_next.append(Response(503, {"errors": [{"message": "service unavailable"}]}))
    with pytest.raises(RetryableVendorError, match="503"):
        get_email_sender().send(an_email())


def test_sendgrid_silence_ends_at_the_timeout_and_is_retryable(
    sendgrid: SendGridCounterpart, settings: Settings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.SENDGRID_BASE_URL = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings.VENDOR_TIMEOUT_SECONDS = 0.3
        with pytest.raises(RetryableVendorError, match="ReadTimeout"):
            get_email_sender().send(an_email())


def test_sendgrid_refusal_shows_no_address_in_error_or_log(
    sendgrid: SendGridCounterpart, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(PermanentVendorError) as refused:
        get_email_sender().send(an_email(to="secret-person", text="private words"))
    shown = f"{refused.value} {refused.value!r} {an_email(to='secret-person')!r} {caplog.text}"
    assert "secret-person" not in shown
    assert "private words" not in shown


def test_backend_sends_every_part_of_a_django_mail(sendgrid: SendGridCounterpart) -> None:
    mail = EmailMultiAlternatives(
        "Reset",
        "plain",
        "Northside <clinic@northside.test>",
        ["ada@example.test"],
        bcc=["hidden@example.test"],
        cc=["copy@example.test"],
        reply_to=["desk@northside.test"],
        headers={"X-Kind": "reset"},
        attachments=[("note.txt", "hello", "text/plain")],
        connection=get_connection(BACKEND),
    )
    mail.attach_alternative("<p>rich</p>", "text/html")
    assert mail.send() == 1
    assert sendgrid.accepted == [
        {
            "personalizations": [
                {
                    "to": [{"email": "ada@example.test"}],
                    "cc": [{"email": "copy@example.test"}],
                    "bcc": [{"email": "hidden@example.test"}],
                }
            ],
            "from": {"email": "clinic@northside.test", "name": "Northside"},
            "subject": "Reset",
            "content": [{"type": "text/plain", "value": "plain"}, {"type": "text/html", "value": "<p>rich</p>"}],
            "reply_to_list": [{"email": "desk@northside.test"}],
            "headers": {"X-Kind": "reset"},
            "attachments": [{"content": "aGVsbG8=", "filename": "note.txt", "type": "text/plain"}],
        }
    ]


def test_backend_refusal_raises_unless_silent(sendgrid: SendGridCounterpart) -> None:
    mail = EmailMessage("", "body", "clinic@northside.test", ["ada@example.test"])
    with pytest.raises(PermanentVendorError, match="400:subject"):
        get_connection(BACKEND).send_messages([mail])
    assert get_connection(BACKEND, fail_silently=True).send_messages([mail]) == 0


def test_backend_mail_without_recipients_makes_no_call(sendgrid: SendGridCounterpart) -> None:
    assert get_connection(BACKEND).send_messages([EmailMessage("Hi", "body", "clinic@northside.test")]) == 0
    assert sendgrid.requests == []


def test_console_shows_the_text_but_not_the_address(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.EMAIL_VENDOR = "console"
    assert get_email_sender().send(an_email()) == SentEmail("console", "console-m-1")
    assert capsys.readouterr().out == "[email m-1 to a***@example.test] Your visit\nSee you at 10:00.\n"
