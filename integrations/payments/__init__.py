"""Taking money: what the product asks for, whoever moves it. Amounts are integers in the currency's minor unit."""

from dataclasses import dataclass
from typing import Any, Protocol, cast

from integrations.vendors import build


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """`idempotency_key` must be the same whenever the same payment is tried again; `reference` is our id for it."""

    amount: int
    currency: str
    idempotency_key: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The vendor's record of a payment; `client_secret` lets the browser complete it and is never logged."""

    vendor: str
    vendor_id: str
    status: str
    amount: int
    currency: str
    client_secret: str = ""

    def __repr__(self) -> str:
        return f"Payment(vendor_id={self.vendor_id!r}, status={self.status!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """Part of a payment back, or all that is left of it when `amount` is None."""

    payment_id: str
    idempotency_key: str
    amount: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    vendor: str
    vendor_id: str
    payment_id: str
    status: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentEvent:
    """A webhook whose signature was right; `id` is stable over redeliveries."""

    id: str
    type: str
    data: dict[str, Any]

    def __repr__(self) -> str:
        return f"PaymentEvent(id={self.id!r}, type={self.type!r})"


class InvalidSignature(Exception):
    """A webhook that its vendor didn't sign, or signed too long ago."""


class PaymentGateway(Protocol):
    """Every method but `verify_event` raises VendorError when the vendor refused or couldn't be reached."""

    def create(self, request: PaymentRequest) -> Payment: ...

    def retrieve(self, payment_id: str) -> Payment: ...

    def refund(self, request: RefundRequest) -> Refund: ...

    def verify_event(self, payload: bytes, signature: str) -> PaymentEvent:
        """The event in a webhook's raw body; raises InvalidSignature."""
        ...


def get_payment_gateway() -> PaymentGateway:
    return cast(PaymentGateway, build("PAYMENTS_VENDOR"))
