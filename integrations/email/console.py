import sys
from typing import Self

from integrations.email import Email, SentEmail
from integrations.masking import mask_email


class ConsoleEmail:
    """Shows the email's text where the worker runs. Development only: production refuses it."""

    @classmethod
    def from_settings(cls) -> Self:
        return cls()

    def send(self, email: Email) -> SentEmail:
        sys.stdout.write(f"[email {email.reference} to {mask_email(email.to)}] {email.subject}\n{email.text}\n")
        sys.stdout.flush()
        return SentEmail("console", f"console-{email.reference}")
