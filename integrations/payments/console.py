import hashlib
import json
import sys
from pathlib import Path
from typing import Self

from django.conf import settings

from integrations.errors import PermanentVendorError
from integrations.payments import InvalidSignature, Payment, PaymentEvent, PaymentRequest, Refund, RefundRequest

VENDOR = "console"


class ConsolePayments:
    """Pretends that every payment succeeds and keeps it as a file. Development only: production refuses it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def from_settings(cls) -> Self:
        return cls(settings.STATE_DIR / "payments")

    def create(self, request: PaymentRequest) -> Payment:
        """The same idempotency key gives the same payment, so a retry doesn't make a second one."""
        payment_id = f"console_pi_{hashlib.sha256(request.idempotency_key.encode()).hexdigest()[:24]}"
        record = {"amount": request.amount, "currency": request.currency.upper()}
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{payment_id}.json"
        if not path.exists():
            path.write_text(json.dumps(record))
            _show(f"[payment {request.reference}] {request.amount} {request.currency} ({payment_id})")
        return self.retrieve(payment_id)

    def retrieve(self, payment_id: str) -> Payment:
        path = self._folder / f"{payment_id}.json"
        if path.parent != self._folder or not path.exists():
            raise PermanentVendorError(VENDOR, "resource_missing")
        record = json.loads(path.read_text())
        return Payment(vendor=VENDOR, vendor_id=payment_id, status="succeeded", **record)

    def refund(self, request: RefundRequest) -> Refund:
        payment = self.retrieve(request.payment_id)
        amount = payment.amount if request.amount is None else request.amount
        refund_id = f"console_re_{hashlib.sha256(request.idempotency_key.encode()).hexdigest()[:24]}"
        _show(f"[refund of {request.payment_id}] {amount} {payment.currency} ({refund_id})")
        return Refund(
            vendor=VENDOR, vendor_id=refund_id, payment_id=request.payment_id, status="succeeded", amount=amount
        )

    def verify_event(self, payload: bytes, signature: str) -> PaymentEvent:
        """The console sends no webhooks, so whatever arrives is not its own."""
        raise InvalidSignature


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
