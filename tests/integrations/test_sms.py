import pytest
from pytest_django import Settings

from integrations.errors import PermanentVendorError, RetryableVendorError
from integrations.sms import SentSms, Sms, get_sms_sender
from tests.integrations.counterparts.server import Response
from tests.integrations.counterparts.twilio import TwilioCounterpart

NUMBER = "+12125550123"


def test_twilio_send_from_a_number_is_accepted(twilio: TwilioCounterpart) -> None:
    sent = get_sms_sender().send(Sms(to=NUMBER, body="See you at 10:00.", reference="m-1"))
    assert sent.vendor == "twilio"
    assert sent.vendor_id.startswith("SM")
    assert twilio.accepted == [{"To": NUMBER, "From": "+15005550006", "Body": "See you at 10:00."}]


def test_twilio_messaging_service_replaces_the_number(twilio: TwilioCounterpart, settings: Settings) -> None:
    settings.TWILIO_MESSAGING_SERVICE_SID = "MG" + "a" * 32
    get_sms_sender().send(Sms(to=NUMBER, body="Hello", reference="m-1"))
    assert twilio.accepted == [{"To": NUMBER, "MessagingServiceSid": "MG" + "a" * 32, "Body": "Hello"}]


@pytest.mark.parametrize(
    ("to", "body", "code"),
    [
        ("212 555 0123", "Hello", "21211"),
        ("+15005550006", "Hello", "21266"),
        (NUMBER, "", "21602"),
        (NUMBER, "x" * 1601, "21617"),
    ],
)
def test_twilio_refusal_is_permanent_with_its_code(twilio: TwilioCounterpart, to: str, body: str, code: str) -> None:
    with pytest.raises(PermanentVendorError) as refused:
        get_sms_sender().send(Sms(to=to, body=body, reference="m-1"))
    assert refused.value.code == code


def test_twilio_longest_body_is_accepted(twilio: TwilioCounterpart) -> None:
    assert get_sms_sender().send(Sms(to=NUMBER, body="x" * 1600, reference="m-1")).vendor_id


def test_twilio_unsubscribed_recipient_is_permanent(twilio: TwilioCounterpart) -> None:
    twilio.unsubscribed.add(NUMBER)
    with pytest.raises(PermanentVendorError, match="twilio answered 21610"):
        get_sms_sender().send(Sms(to=NUMBER, body="Hello", reference="m-1"))


def test_twilio_wrong_token_is_permanent(twilio: TwilioCounterpart, settings: Settings) -> None:
    settings.TWILIO_AUTH_TOKEN = "other"
    with pytest.raises(PermanentVendorError, match="20003"):
        get_sms_sender().send(Sms(to=NUMBER, body="Hello", reference="m-1"))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_twilio_limit_and_outage_are_retryable(twilio: TwilioCounterpart, status: int) -> None:
    twilio.answer_next.append(Response(status, {"code": 20429, "message": "Too Many Requests", "status": status}))
    with pytest.raises(RetryableVendorError, match="20429"):
        get_sms_sender().send(Sms(to=NUMBER, body="Hello", reference="m-1"))


def test_twilio_unreachable_is_retryable(twilio: TwilioCounterpart, settings: Settings) -> None:
    settings.TWILIO_BASE_URL = "http://127.0.0.1:1"
    with pytest.raises(RetryableVendorError, match="ConnectionError"):
        get_sms_sender().send(Sms(to=NUMBER, body="Hello", reference="m-1"))


def test_twilio_refusal_shows_no_number_in_error_or_log(
    twilio: TwilioCounterpart, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(PermanentVendorError) as refused:
        get_sms_sender().send(Sms(to="0123456", body="private words", reference="m-1"))
    shown = f"{refused.value} {refused.value!r} {caplog.text}"
    assert "0123456" not in shown
    assert "private words" not in shown


def test_console_shows_the_text_but_not_the_number(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SMS_VENDOR = "console"
    sent = get_sms_sender().send(Sms(to=NUMBER, body="See you.", reference="m-1"))
    assert sent == SentSms("console", "console-m-1")
    assert capsys.readouterr().out == "[sms m-1 to ***23] See you.\n"
