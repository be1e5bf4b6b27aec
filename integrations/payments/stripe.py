"""Stripe's PaymentIntents and Refunds through its SDK."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import stripe
from django.conf import settings

from integrations.errors import PermanentVendorError, RetryableVendorError, VendorError, error_for_status
from integrations.payments import InvalidSignature, Payment, PaymentEvent, PaymentRequest, Refund, RefundRequest

VENDOR = "stripe"
TOLERANCE_SECONDS = 300  # Stripe's own default: an older signature may be a replay


class StripePayments:
    def __init__(self, *, secret_key: str, webhook_secret: str, base_url: str, timeout: float) -> None:
        self._webhook_secret = webhook_secret
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": base_url},
            max_network_retries=0,  # the caller retries, with the same idempotency key
            http_client=stripe.RequestsClient(timeout=timeout),
        )

    @classmethod
    def from_settings(cls) -> Self:
        return cls(
            secret_key=settings.STRIPE_SECRET_KEY,
            webhook_secret=settings.STRIPE_WEBHOOK_SECRET,
            base_url=settings.STRIPE_BASE_URL,
            timeout=settings.VENDOR_TIMEOUT_SECONDS,
        )

    def create(self, request: PaymentRequest) -> Payment:
        with _vendor_errors():
            intent = self._client.v1.payment_intents.create(
                {
                    "amount": request.amount,
                    "currency": request.currency.lower(),
                    "automatic_payment_methods": {"enabled": True},
                    "metadata": {"reference": request.reference},
                },
                {"idempotency_key": request.idempotency_key},
            )
        return _payment(intent)

    def retrieve(self, payment_id: str) -> Payment:
        with _vendor_errors():
            return _payment(self._client.v1.payment_intents.retrieve(payment_id))

    def refund(self, request: RefundRequest) -> Refund:
        params: stripe.params.RefundCreateParams = {"payment_intent": request.payment_id}
        if request.amount is not None:
            params["amount"] = request.amount
        with _vendor_errors():
            refund = self._client.v1.refunds.create(params, {"idempotency_key": request.idempotency_key})
        return Refund(
            vendor=VENDOR,
            vendor_id=refund.id,
            payment_id=request.payment_id,
            status=refund.status or "",
            amount=refund.amount,
        )

    def verify_event(self, payload: bytes, signature: str) -> PaymentEvent:
        try:
            event = self._client.construct_event(payload, signature, self._webhook_secret, TOLERANCE_SECONDS)
        except (stripe.SignatureVerificationError, ValueError):
            raise InvalidSignature from None
        return PaymentEvent(id=event.id, type=event.type, data=event.data.object.to_dict())


def _payment(intent: stripe.PaymentIntent) -> Payment:
    return Payment(
        vendor=VENDOR,
        vendor_id=intent.id,
        status=intent.status,
        amount=intent.amount,
        currency=intent.currency.upper(),
        client_secret=intent.client_secret or "",
    )


@contextmanager
def _vendor_errors() -> Iterator[None]:
    try:
        yield
    except stripe.APIConnectionError:
        raise RetryableVendorError(VENDOR, "unreachable") from None
    except stripe.StripeError as error:
        raise _translate(error) from None


def _translate(error: stripe.StripeError) -> VendorError:
    """409 is another request with the same key still running: it may be tried again, unlike the other refusals."""
    status = error.http_status or 500
    code = error.code or (error.error.type if error.error else "") or ""
    request_id = error.request_id or ""
    if status == 409:
        return RetryableVendorError(VENDOR, code or "409", request_id=request_id)
    if isinstance(error, stripe.CardError):
        return PermanentVendorError(VENDOR, code, request_id=request_id)
    return error_for_status(VENDOR, status, code=code, request_id=request_id, retry_after=_retry_after(error))


def _retry_after(error: stripe.StripeError) -> float | None:
    value = (error.headers or {}).get("Retry-After", "")
    return float(value) if value.isdigit() else None
