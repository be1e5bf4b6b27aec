import time
from pathlib import Path

import pytest
from pytest_django import Settings

from integrations.errors import PermanentVendorError, RetryableVendorError
from integrations.payments import InvalidSignature, PaymentRequest, RefundRequest, get_payment_gateway
from tests.integrations.counterparts.server import Response
from tests.integrations.counterparts.stripe import StripeCounterpart, signed_event

EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "data": {"object": {"id": "pi_1", "object": "payment_intent", "amount": 5000}},
}


def a_request(*, amount: int = 5000, currency: str = "USD", key: str = "invoice-1") -> PaymentRequest:
    return PaymentRequest(amount=amount, currency=currency, idempotency_key=key, reference="payment-1")


def test_stripe_create_and_retrieve_agree(stripe_api: StripeCounterpart) -> None:
    gateway = get_payment_gateway()
    payment = gateway.create(a_request())
    assert (payment.status, payment.amount, payment.currency) == ("requires_payment_method", 5000, "USD")
    assert gateway.retrieve(payment.vendor_id) == payment
    assert stripe_api.intents[payment.vendor_id]["metadata"] == {"reference": "payment-1"}


def test_stripe_same_key_makes_one_payment(stripe_api: StripeCounterpart) -> None:
    gateway = get_payment_gateway()
    assert gateway.create(a_request()).vendor_id == gateway.create(a_request()).vendor_id
    assert len(stripe_api.intents) == 1


def test_stripe_same_key_with_another_amount_is_refused(stripe_api: StripeCounterpart) -> None:
    gateway = get_payment_gateway()
    gateway.create(a_request())
    with pytest.raises(PermanentVendorError, match="stripe answered idempotency_error"):
        gateway.create(a_request(amount=6000))


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [(49, "USD", "amount_too_small"), (100_000_000, "USD", "amount_too_large"), (5000, "XXX", "invalid_request_error")],
)
def test_stripe_refusal_is_permanent_with_its_code(
    stripe_api: StripeCounterpart, amount: int, currency: str, code: str
) -> None:
    with pytest.raises(PermanentVendorError) as refused:
        get_payment_gateway().create(a_request(amount=amount, currency=currency))
    assert refused.value.code == code
    assert refused.value.request_id.startswith("req_")


def test_stripe_wrong_key_is_permanent(stripe_api: StripeCounterpart, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_other"
    with pytest.raises(PermanentVendorError):
        get_payment_gateway().retrieve("pi_1")


def test_stripe_declined_card_is_permanent(stripe_api: StripeCounterpart) -> None:
    declined = {"type": "card_error", "code": "card_declined", "message": "Your card was declined."}
    stripe_api.answer_next.append(Response(402, {"error": declined}))
    with pytest.raises(PermanentVendorError, match="card_declined"):
        get_payment_gateway().create(a_request())


def test_stripe_limit_is_retryable_after_its_time(stripe_api: StripeCounterpart) -> None:
    limit = {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests"}
    stripe_api.answer_next.append(Response(429, {"error": limit}, {"Retry-After": "7"}))
    with pytest.raises(RetryableVendorError) as refused:
        get_payment_gateway().create(a_request())
    assert refused.value.retry_after == 7


@pytest.mark.parametrize("status", [409, 500, 503])
def test_stripe_conflict_and_outage_are_retryable(stripe_api: StripeCounterpart, status: int) -> None:
    stripe_api.answer_next.append(Response(status, {"error": {"type": "api_error", "message": "try again"}}))
    with pytest.raises(RetryableVendorError):
        get_payment_gateway().create(a_request())


def test_stripe_unreachable_is_retryable(stripe_api: StripeCounterpart, settings: Settings) -> None:
    settings.STRIPE_BASE_URL = "http://127.0.0.1:1"
    with pytest.raises(RetryableVendorError, match="unreachable"):
        get_payment_gateway().retrieve("pi_1")


def test_stripe_refunds_part_then_the_rest_then_nothing(stripe_api: StripeCounterpart) -> None:
    gateway = get_payment_gateway()
    payment = gateway.create(a_request())
    stripe_api.pay(payment.vendor_id)
    part = gateway.refund(RefundRequest(payment_id=payment.vendor_id, amount=2000, idempotency_key="r-1"))
    rest = gateway.refund(RefundRequest(payment_id=payment.vendor_id, idempotency_key="r-2"))
    assert (part.amount, part.status, rest.amount) == (2000, "succeeded", 3000)
    with pytest.raises(PermanentVendorError, match="charge_already_refunded"):
        gateway.refund(RefundRequest(payment_id=payment.vendor_id, idempotency_key="r-3"))


def test_stripe_refund_of_an_unpaid_payment_is_refused(stripe_api: StripeCounterpart) -> None:
    gateway = get_payment_gateway()
    payment = gateway.create(a_request())
    with pytest.raises(PermanentVendorError, match="payment_intent_unexpected_state"):
        gateway.refund(RefundRequest(payment_id=payment.vendor_id, idempotency_key="r-1"))


def test_stripe_event_with_a_right_signature_is_read(stripe_api: StripeCounterpart) -> None:
    event = get_payment_gateway().verify_event(*signed_event("whsec_test", EVENT))
    assert (event.id, event.type, event.data["amount"]) == ("evt_1", "payment_intent.succeeded", 5000)


@pytest.mark.parametrize(
    ("payload", "signature"),
    [
        signed_event("whsec_other", EVENT),
        signed_event("whsec_test", EVENT, at=time.time() - 3600),
        (b"{}", signed_event("whsec_test", EVENT)[1]),
        (signed_event("whsec_test", EVENT)[0], "t=1"),
        (signed_event("whsec_test", EVENT)[0], ""),
    ],
    ids=["other secret", "too old", "other body", "no signature in it", "no header"],
)
def test_stripe_event_with_a_wrong_signature_is_refused(
    stripe_api: StripeCounterpart, payload: bytes, signature: str
) -> None:
    with pytest.raises(InvalidSignature):
        get_payment_gateway().verify_event(payload, signature)


def test_stripe_client_secret_is_in_no_repr_or_log(
    stripe_api: StripeCounterpart, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    payment = get_payment_gateway().create(a_request())
    assert payment.client_secret
    assert payment.client_secret not in f"{payment!r} {caplog.text}"


def test_console_payment_is_made_once_per_key_and_refunded(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.PAYMENTS_VENDOR = "console"
    settings.STATE_DIR = tmp_path
    gateway = get_payment_gateway()
    payment = gateway.create(a_request())
    assert gateway.create(a_request()) == payment == gateway.retrieve(payment.vendor_id)
    assert gateway.refund(RefundRequest(payment_id=payment.vendor_id, idempotency_key="r-1")).amount == 5000
    assert capsys.readouterr().out.count("[payment payment-1]") == 1
    with pytest.raises(PermanentVendorError):
        gateway.retrieve("../elsewhere")
    with pytest.raises(InvalidSignature):
        gateway.verify_event(b"{}", "")
