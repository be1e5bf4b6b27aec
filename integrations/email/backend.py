"""Django's own mail (password resets, error mail) through SendGrid: `EMAIL_BACKEND`."""

import base64
from collections.abc import Sequence
from email.mime.base import MIMEBase
from email.utils import parseaddr
from typing import Any

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

from integrations.email.sendgrid import SendGridClient
from integrations.errors import VendorError


class SendGridBackend(BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        client = SendGridClient.from_settings()
        sent = 0
        for message in email_messages:
            if not message.recipients():
                continue
            try:
                client.send(payload_of(message))
            except VendorError:
                if not self.fail_silently:
                    raise
            else:
                sent += 1
        return sent


def payload_of(message: EmailMessage) -> dict[str, Any]:
    """The mail as `/mail/send` takes it. Empty lists are left out: SendGrid refuses them."""
    recipients = {"to": message.to, "cc": message.cc, "bcc": message.bcc}
    payload: dict[str, Any] = {
        "personalizations": [{kind: [_address(item) for item in items] for kind, items in recipients.items() if items}],
        "from": _address(message.from_email),
        "subject": str(message.subject),
        "content": _content(message),
    }
    if message.reply_to:
        payload["reply_to_list"] = [_address(item) for item in message.reply_to]
    if message.extra_headers:
        payload["headers"] = {name: str(value) for name, value in message.extra_headers.items()}
    if message.attachments:
        payload["attachments"] = [_attachment(item) for item in message.attachments]
    return payload


def _address(value: str) -> dict[str, str]:
    name, address = parseaddr(str(value))
    return {"email": address, "name": name} if name else {"email": address}


def _content(message: EmailMessage) -> list[dict[str, str]]:
    """Plain text comes first: SendGrid demands that order."""
    content = [{"type": f"text/{message.content_subtype}", "value": str(message.body)}]
    if isinstance(message, EmailMultiAlternatives):
        content += [{"type": str(kind), "value": str(value)} for value, kind in message.alternatives]
    return content


def _attachment(item: Any) -> dict[str, str]:
    if isinstance(item, MIMEBase):
        name, content, kind = item.get_filename(), item.get_payload(decode=True), item.get_content_type()
    else:
        name, content, kind = item
    data = content if isinstance(content, bytes) else str(content).encode()
    return {
        "content": base64.b64encode(data).decode(),
        "filename": name or "attachment",
        "type": kind or "application/octet-stream",
    }
