"""SendGrid's v3 `POST /mail/send` over httpx; its own SDK is no longer maintained."""

import time
from typing import Any, Self

import httpx
from django.conf import settings

from integrations.email import Email, SentEmail
from integrations.errors import RetryableVendorError, error_for_status

VENDOR = "sendgrid"


class SendGridClient:
    def __init__(self, *, api_key: str, base_url: str, timeout: float) -> None:
        self._url = f"{base_url}/v3/mail/send"
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._timeout = timeout

    @classmethod
    def from_settings(cls) -> Self:
        return cls(
            api_key=settings.SENDGRID_API_KEY,
            base_url=settings.SENDGRID_BASE_URL,
            timeout=settings.VENDOR_TIMEOUT_SECONDS,
        )

    def send(self, payload: dict[str, Any]) -> str:
        """Queue one mail and return SendGrid's message id. Accepted doesn't mean delivered."""
        try:
            response = httpx.post(self._url, json=payload, headers=self._headers, timeout=self._timeout)
        except httpx.TransportError as error:
            raise RetryableVendorError(VENDOR, type(error).__name__) from None
        if response.status_code != httpx.codes.ACCEPTED:
            raise error_for_status(
                VENDOR, response.status_code, code=_error_code(response), retry_after=_retry_after(response)
            )
        message_id: str = response.headers.get("X-Message-Id", "")
        return message_id


class SendGridEmail:
    def __init__(self, client: SendGridClient, *, from_address: str) -> None:
        self._client = client
        self._from_address = from_address

    @classmethod
    def from_settings(cls) -> Self:
        return cls(SendGridClient.from_settings(), from_address=settings.DEFAULT_FROM_EMAIL)

    def send(self, email: Email) -> SentEmail:
        sender = {"email": self._from_address} | ({"name": email.from_name} if email.from_name else {})
        payload = {
            "personalizations": [{"to": [{"email": email.to}], "custom_args": {"reference": email.reference}}],
            "from": sender,
            "subject": email.subject,
            "content": [{"type": "text/plain", "value": email.text}],
        }
        return SentEmail(VENDOR, self._client.send(payload))


def _error_code(response: httpx.Response) -> str:
    """`400:subject`: the status and the field it is about. The message is left out, it may quote an address."""
    try:
        field = response.json()["errors"][0]["field"]
    except (ValueError, KeyError, IndexError, TypeError):
        field = None
    return f"{response.status_code}:{field}" if field else str(response.status_code)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds until the limit's window ends; the header carries a Unix time."""
    reset = response.headers.get("X-RateLimit-Reset", "")
    return max(1.0, int(reset) - time.time()) if reset.isdigit() else None
