"""Twilio's published rules for creating a Message (API 2010-04-01, error dictionary)."""

import base64
import re
import uuid
from email.utils import formatdate

from tests.integrations.counterparts.server import Counterpart, Request, Response

E164 = re.compile(r"\+[1-9]\d{6,14}")
SERVICE_SID = re.compile(r"MG[0-9a-f]{32}")
MAX_BODY = 1600
MESSAGES = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    21211: (400, "The 'To' number {to} is not a valid phone number."),
    21212: (400, "The 'From' number {sender} is not a valid phone number, shortcode, or alphanumeric sender ID."),
    21266: (400, "'To' and 'From' number cannot be the same: {to}"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit."),
    21701: (400, "The Messaging Service does not exist."),
}


class TwilioCounterpart(Counterpart):
    def __init__(self, account_sid: str, auth_token: str) -> None:
        super().__init__()
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.unsubscribed: set[str] = set()
        self.accepted: list[dict[str, str]] = []

    def respond(self, request: Request) -> Response:
        code = self._refusal(request)
        form = request.form
        if code is not None:
            return error_response(code, to=form.get("To", ""), sender=form.get("From", ""))
        self.accepted.append(form)
        return Response(201, self._message(form))

    def _refusal(self, request: Request) -> int | None:
        credentials = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {credentials}":
            return 20003
        path = f"/2010-04-01/Accounts/{self.account_sid}/Messages.json"
        if (request.method, request.path) != ("POST", path):
            return 20404
        if request.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            return 21604  # Twilio reads the form only, so it sees no parameters
        form = request.form
        return _recipient_refusal(form, self.unsubscribed) or _sender_refusal(form) or _body_refusal(form)

    def _message(self, form: dict[str, str]) -> dict[str, object]:
        now = formatdate(usegmt=True)
        service = form.get("MessagingServiceSid")
        return {
            "sid": f"SM{uuid.uuid4().hex}",
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "body": form["Body"],
            "date_created": now,
            "date_sent": None,
            "date_updated": now,
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": form.get("From"),
            "messaging_service_sid": service,
            "num_media": "0",
            "num_segments": "0" if service else "1",
            "price": None,
            "price_unit": None,
            "status": "accepted" if service else "queued",
            "subresource_uris": {},
            "to": form["To"],
            "uri": f"/2010-04-01/Accounts/{self.account_sid}/Messages/SM.json",
        }


def error_response(code: int, **values: str) -> Response:
    status, message = MESSAGES[code]
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message.format(**values), "more_info": more_info, "status": status}
    return Response(status, body)


def _recipient_refusal(form: dict[str, str], unsubscribed: set[str]) -> int | None:
    to = form.get("To")
    if not to:
        return 21604
    if not E164.fullmatch(to):
        return 21211
    if to == form.get("From"):
        return 21266
    return 21610 if to in unsubscribed else None


def _sender_refusal(form: dict[str, str]) -> int | None:
    service, sender = form.get("MessagingServiceSid"), form.get("From")
    if service:
        return None if SERVICE_SID.fullmatch(service) else 21701
    if not sender:
        return 21603
    return None if E164.fullmatch(sender) else 21212


def _body_refusal(form: dict[str, str]) -> int | None:
    body = form.get("Body")
    if not body:
        return 21602
    return 21617 if len(body) > MAX_BODY else None
