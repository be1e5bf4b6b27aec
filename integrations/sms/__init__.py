"""Sending text messages: what the product asks for, whoever delivers it."""

from dataclasses import dataclass
from typing import Protocol, cast

from integrations.vendors import build


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """One text message; `to` in E.164 form, `reference` is our id for it."""

    to: str
    body: str
    reference: str

    def __repr__(self) -> str:
        return f"Sms(reference={self.reference!r})"


@dataclass(frozen=True, slots=True)
class SentSms:
    vendor: str
    vendor_id: str


class SmsSender(Protocol):
    def send(self, sms: Sms) -> SentSms:
        """Hand the message over; raises VendorError when the vendor didn't take it."""
        ...


def get_sms_sender() -> SmsSender:
    return cast(SmsSender, build("SMS_VENDOR"))
