"""Twilio's Messages resource through its SDK."""

from typing import Self

import requests
from django.conf import settings
from twilio.base.exceptions import TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from integrations.errors import RetryableVendorError, error_for_status
from integrations.sms import SentSms, Sms

VENDOR = "twilio"


class TwilioSms:
    def __init__(
        self, *, account_sid: str, auth_token: str, base_url: str, timeout: float, sender: dict[str, str]
    ) -> None:
        """`sender` is either `{"from_": number}` or `{"messaging_service_sid": sid}`."""
        self._http = TwilioHttpClient(timeout=timeout)
        self._client = Client(account_sid, auth_token, http_client=self._http)
        self._client.api.base_url = base_url
        self._sender = sender

    @classmethod
    def from_settings(cls) -> Self:
        service = settings.TWILIO_MESSAGING_SERVICE_SID
        return cls(
            account_sid=settings.TWILIO_ACCOUNT_SID,
            auth_token=settings.TWILIO_AUTH_TOKEN,
            base_url=settings.TWILIO_BASE_URL,
            timeout=settings.VENDOR_TIMEOUT_SECONDS,
            sender={"messaging_service_sid": service} if service else {"from_": settings.TWILIO_FROM},
        )

    def send(self, sms: Sms) -> SentSms:
        try:
            message = self._client.messages.create(to=sms.to, body=sms.body, **self._sender)
        except (TwilioRestException, TwilioServiceException) as error:
            raise error_for_status(VENDOR, error.status, code=str(error.code or "")) from None
        except requests.RequestException as error:
            raise RetryableVendorError(VENDOR, type(error).__name__) from None
        finally:
            if self._http.session:
                self._http.session.close()
        return SentSms(VENDOR, str(message.sid))
