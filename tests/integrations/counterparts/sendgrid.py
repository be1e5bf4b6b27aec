"""SendGrid's published rules for `POST /v3/mail/send` (API reference and its list of parameter errors)."""

import json
import re
import uuid
from typing import Any

from tests.integrations.counterparts.server import Counterpart, Request, Response

EMAIL = re.compile(r"[^@\s<>\"]+@[^@\s<>\".]+(\.[^@\s<>\".]+)+")
TOP_LEVEL = {
    *("personalizations", "from", "reply_to", "reply_to_list", "subject", "content", "attachments", "template_id"),
    *("headers", "categories", "custom_args", "send_at", "batch_id", "asm", "ip_pool_name"),
    *("mail_settings", "tracking_settings"),
}
RESERVED_HEADERS = {
    *("x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"),
    *("to", "from", "subject", "reply-to", "cc", "bcc"),
}
MAX_PERSONALIZATIONS = MAX_RECIPIENTS = 1000
MAX_CUSTOM_ARGS_BYTES = 10_000


class Rejected(Exception):
    def __init__(self, field: str | None, message: str, status: int = 400) -> None:
        self.response = Response(status, {"errors": [{"message": message, "field": field, "help": None}]})


class SendGridCounterpart(Counterpart):
    def __init__(self, api_key: str) -> None:
        super().__init__()
        self.api_key = api_key
        self.accepted: list[dict[str, Any]] = []

    def respond(self, request: Request) -> Response:
        try:
            self._check_envelope(request)
            mail = self._parse(request)
            _check_mail(mail)
        except Rejected as rejected:
            return rejected.response
        self.accepted.append(mail)
        return Response(202, headers={"X-Message-Id": uuid.uuid4().hex[:22]})

    def _check_envelope(self, request: Request) -> None:
        if request.path != "/v3/mail/send":
            raise Rejected(None, "not found", 404)
        if request.method != "POST":
            raise Rejected(None, "method not allowed", 405)
        if request.headers.get("Authorization") != f"Bearer {self.api_key}":
            raise Rejected(None, "The provided authorization grant is invalid, expired, or revoked", 401)
        if request.headers.get("Content-Type", "").split(";")[0] != "application/json":
            raise Rejected(None, "Content-Type should be application/json.", 415)

    @staticmethod
    def _parse(request: Request) -> dict[str, Any]:
        try:
            mail = json.loads(request.body)
        except ValueError:
            raise Rejected(None, "Bad Request") from None
        if not isinstance(mail, dict):
            raise Rejected(None, "Bad Request")
        return mail


def _check_mail(mail: dict[str, Any]) -> None:
    unknown = mail.keys() - TOP_LEVEL
    if unknown:
        raise Rejected(sorted(unknown)[0], "Additional property is not allowed")
    _check_address(mail.get("from"), "from")
    if mail.get("reply_to") and mail.get("reply_to_list"):
        raise Rejected("reply_to_list", "cannot be used with reply_to")
    for index, address in enumerate(mail.get("reply_to_list") or []):
        _check_address(address, f"reply_to_list.{index}")
    _check_personalizations(mail)
    _check_content(mail)
    _check_headers(mail.get("headers") or {})


def _check_personalizations(mail: dict[str, Any]) -> None:
    personalizations = mail.get("personalizations")
    if not isinstance(personalizations, list) or not personalizations:
        raise Rejected("personalizations", "The personalizations field is required and must have at least one item.")
    if len(personalizations) > MAX_PERSONALIZATIONS:
        raise Rejected("personalizations", "The personalization block is limited to 1000 personalizations.")
    for index, block in enumerate(personalizations):
        _check_recipients(block, f"personalizations.{index}")
        if not (block.get("subject") or mail.get("subject")):
            raise Rejected("subject", "The subject is required.")
        if len(json.dumps(block.get("custom_args") or {})) > MAX_CUSTOM_ARGS_BYTES:
            raise Rejected(f"personalizations.{index}.custom_args", "The custom arguments are too large.")
        if any(not isinstance(value, str) for value in (block.get("custom_args") or {}).values()):
            raise Rejected(f"personalizations.{index}.custom_args", "Custom arguments must be strings.")


def _check_recipients(block: dict[str, Any], path: str) -> None:
    if not block.get("to"):
        raise Rejected(f"{path}.to", "The to array is required, and must have at least one email.")
    seen: set[str] = set()
    for kind in ("to", "cc", "bcc"):
        if kind in block and not block[kind]:
            raise Rejected(f"{path}.{kind}", "The array, when used, must have at least one email.")
        for index, address in enumerate(block.get(kind, [])):
            _check_address(address, f"{path}.{kind}.{index}")
            if address["email"].lower() in seen:
                raise Rejected(path, "Each email address must be unique between to, cc and bcc.")
            seen.add(address["email"].lower())
    if len(seen) > MAX_RECIPIENTS:
        raise Rejected(path, "The total number of recipients must be no more than 1000.")


def _check_address(address: Any, path: str) -> None:
    if not isinstance(address, dict) or not isinstance(address.get("email"), str):
        raise Rejected(f"{path}.email", "The email is required.")
    if not EMAIL.fullmatch(address["email"]):
        raise Rejected(f"{path}.email", f"Does not contain a valid address: {address['email']}")
    if address.keys() - {"email", "name"}:
        raise Rejected(path, "Additional property is not allowed")


def _check_content(mail: dict[str, Any]) -> None:
    content = mail.get("content")
    if not content:
        if mail.get("template_id"):
            return
        raise Rejected("content", "The content is required, unless a template_id is given.")
    for index, part in enumerate(content):
        if not part.get("type") or not part.get("value"):
            raise Rejected(f"content.{index}.value", "Type and value must each be at least one character.")
        if "\r" in part["type"] or (";" in part["type"] and "charset" not in part["type"]):
            raise Rejected(f"content.{index}.type", "The type may not contain ';' or CRLF.")
    order = [part["type"] for part in content]
    known = [kind for kind in ("text/plain", "text/html") if kind in order]
    if order[: len(known)] != known:
        raise Rejected("content", "text/plain must come first, then text/html, then any other type.")


def _check_headers(headers: dict[str, Any]) -> None:
    for name, value in headers.items():
        if name.lower() in RESERVED_HEADERS:
            raise Rejected("headers", f"The header {name} is reserved.")
        if not isinstance(value, str):
            raise Rejected("headers", "Header values must be strings.")
