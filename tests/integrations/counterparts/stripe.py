"""Stripe's published rules for PaymentIntents, Refunds, idempotent requests and webhook signatures."""

import hashlib
import hmac
import json
import re
import time
import uuid
from typing import Any

from tests.integrations.counterparts.server import Counterpart, Request, Response

VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")
MINIMUM = {"usd": 50, "eur": 50, "gbp": 30, "aud": 50, "chf": 50, "jpy": 50}  # in minor units, per currency
MAX_AMOUNT = 99_999_999
MAX_KEY = 255


class Rejected(Exception):
    """`before` tells refusals made before the endpoint runs: Stripe doesn't keep those under the key."""

    def __init__(self, status: int, message: str, *, before: bool = False, **error: str) -> None:
        kind = error.pop("type", "invalid_request_error")
        self.response = Response(status, {"error": {"type": kind, "message": message, **error}})
        self.before = before


class StripeCounterpart(Counterpart):
    def __init__(self, secret_key: str) -> None:
        super().__init__()
        self.secret_key = secret_key
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.kept: dict[str, tuple[str, Response]] = {}

    def pay(self, intent_id: str) -> None:
        """What the browser does with the client secret."""
        self.intents[intent_id] |= {"status": "succeeded", "amount_received": self.intents[intent_id]["amount"]}

    def respond(self, request: Request) -> Response:
        try:
            self._check_envelope(request)
            response = self._idempotent(request) if request.method == "POST" else self._run(request)
        except Rejected as rejected:
            response = rejected.response
        response.headers["Request-Id"] = f"req_{uuid.uuid4().hex[:14]}"
        return response

    def _check_envelope(self, request: Request) -> None:
        authorization = request.headers.get("Authorization", "")
        if authorization != f"Bearer {self.secret_key}":
            raise Rejected(401, "Invalid API Key provided: sk_test_****")
        if not VERSION.fullmatch(request.headers.get("Stripe-Version", "")):
            raise Rejected(400, "Invalid Stripe API version")
        form_encoded = request.headers.get("Content-Type") == "application/x-www-form-urlencoded"
        if request.method == "POST" and not form_encoded:
            raise Rejected(400, "Invalid request: send form-encoded parameters.")
        if len(request.headers.get("Idempotency-Key", "")) > MAX_KEY:
            raise Rejected(400, "Idempotency keys are at most 255 characters long.")

    def _idempotent(self, request: Request) -> Response:
        """The first answer under a key is kept and replayed; the key with other parameters is refused."""
        key = request.headers.get("Idempotency-Key")
        if not key:
            return self._run(request)
        fingerprint = f"{request.path} {sorted(request.form.items())}"
        if key in self.kept:
            known, response = self.kept[key]
            if known != fingerprint:
                raise Rejected(
                    400,
                    "Keys for idempotent requests can only be used with the same parameters they were first used with.",
                    type="idempotency_error",
                )
            return Response(response.status, response.body, {"Idempotent-Replayed": "true"})
        try:
            response = self._run(request)
        except Rejected as rejected:
            if rejected.before:
                raise
            response = rejected.response
        self.kept[key] = (fingerprint, response)
        return response

    def _run(self, request: Request) -> Response:
        match request.method, request.path.removeprefix("/v1/").split("/"):
            case "POST", ["payment_intents"]:
                return self._create_intent(request.form)
            case "GET", ["payment_intents", intent_id]:
                return Response(200, self._intent(intent_id))
            case "POST", ["refunds"]:
                return self._create_refund(request.form)
        raise Rejected(404, f"Unrecognized request URL ({request.method}: {request.path}).")

    def _create_intent(self, form: dict[str, str]) -> Response:
        amount, currency = _amount(form), form.get("currency", "")
        if not currency:
            raise Rejected(400, "Missing required param: currency.", before=True, param="currency")
        if currency not in MINIMUM:
            raise Rejected(400, f"Invalid currency: {currency}.", before=True, param="currency")
        if amount < MINIMUM[currency]:
            raise Rejected(400, "Amount is below the minimum.", code="amount_too_small", param="amount")
        if amount > MAX_AMOUNT:
            raise Rejected(400, "Amount is above the maximum.", code="amount_too_large", param="amount")
        intent_id = f"pi_{uuid.uuid4().hex[:24]}"
        self.intents[intent_id] = {
            "id": intent_id,
            "object": "payment_intent",
            "amount": amount,
            "amount_received": 0,
            "client_secret": f"{intent_id}_secret_{uuid.uuid4().hex[:24]}",
            "currency": currency,
            "livemode": False,
            "metadata": {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")},
            "status": "requires_payment_method",
        }
        return Response(200, dict(self.intents[intent_id]))

    def _create_refund(self, form: dict[str, str]) -> Response:
        intent_id = form.get("payment_intent", "")
        intent = self._intent(intent_id)
        if intent["status"] != "succeeded":
            message = "This PaymentIntent does not have a successful charge to refund."
            raise Rejected(400, message, code="payment_intent_unexpected_state")
        given_back = sum(refund["amount"] for refund in self.refunds.values() if refund["payment_intent"] == intent_id)
        left = intent["amount_received"] - given_back
        if left == 0:
            raise Rejected(400, "The charge has already been refunded.", code="charge_already_refunded")
        amount = _amount(form) if "amount" in form else left
        if not 0 < amount <= left:
            raise Rejected(400, "Refund amount is greater than what is left.", param="amount")
        refund_id = f"re_{uuid.uuid4().hex[:24]}"
        self.refunds[refund_id] = {
            "id": refund_id,
            "object": "refund",
            "amount": amount,
            "currency": intent["currency"],
            "payment_intent": intent_id,
            "status": "succeeded",
        }
        return Response(200, dict(self.refunds[refund_id]))

    def _intent(self, intent_id: str) -> dict[str, Any]:
        if intent_id not in self.intents:
            raise Rejected(404, f"No such payment_intent: '{intent_id}'", code="resource_missing", param="intent")
        return dict(self.intents[intent_id])


def _amount(form: dict[str, str]) -> int:
    if "amount" not in form:
        raise Rejected(400, "Missing required param: amount.", before=True, param="amount")
    if not re.fullmatch(r"\d+", form["amount"]):
        raise Rejected(400, "Invalid integer.", before=True, code="parameter_invalid_integer", param="amount")
    return int(form["amount"])


def signed_event(secret: str, event: dict[str, Any], *, at: float | None = None) -> tuple[bytes, str]:
    """A webhook's body and its `Stripe-Signature`: HMAC-SHA256 of `<time>.<body>`."""
    body = json.dumps(event).encode()
    timestamp = int(time.time() if at is None else at)
    signature = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return body, f"t={timestamp},v1={signature}"
