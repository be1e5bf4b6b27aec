"""Sending email: what the product asks for, whoever delivers it."""

from dataclasses import dataclass
from typing import Protocol, cast

from integrations.vendors import build


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """One plain-text email. `reference` is our id for it; vendors get it back to us in their events."""

    to: str
    subject: str
    text: str
    reference: str
    from_name: str = ""

    def __repr__(self) -> str:
        return f"Email(reference={self.reference!r})"


@dataclass(frozen=True, slots=True)
class SentEmail:
    vendor: str
    vendor_id: str


class EmailSender(Protocol):
    def send(self, email: Email) -> SentEmail:
        """Hand the email over; raises VendorError when the vendor didn't take it."""
        ...


def get_email_sender() -> EmailSender:
    return cast(EmailSender, build("EMAIL_VENDOR"))
