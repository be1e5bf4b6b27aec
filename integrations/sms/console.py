import sys
from typing import Self

from integrations.masking import mask_phone
from integrations.sms import SentSms, Sms


class ConsoleSms:
    """Shows the message's text where the worker runs. Development only: production refuses it."""

    @classmethod
    def from_settings(cls) -> Self:
        return cls()

    def send(self, sms: Sms) -> SentSms:
        sys.stdout.write(f"[sms {sms.reference} to {mask_phone(sms.to)}] {sms.body}\n")
        sys.stdout.flush()
        return SentSms("console", f"console-{sms.reference}")
