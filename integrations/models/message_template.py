from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models

from accounts.roles import Area
from integrations.messages.text import validate_placeholders
from practices.models.base import VersionedModel

MAX_SMS_TEMPLATE = 480  # three segments; with the values filled in, still far below the vendors' 1,600


class MessageKind(models.TextChoices):
    CONFIRMATION = "appointment-confirmation", "Appointment confirmation"
    CANCELLATION = "appointment-cancelled", "Appointment cancelled"
    REMINDER = "appointment-reminder", "Appointment reminder"
    OFFER = "waitlist-offer", "Waitlist offer"


class MessageChannel(models.TextChoices):
    EMAIL = "email", "Email"
    SMS = "sms", "SMS"


class MessageTemplate(VersionedModel):
    """The wording of one kind of message on one channel; without an active one that message isn't sent."""

    area: ClassVar[str] = Area.PRACTICE_SETTINGS

    kind = models.CharField(max_length=40, choices=MessageKind)
    channel = models.CharField(max_length=10, choices=MessageChannel)
    subject = models.CharField(
        max_length=200, blank=True, validators=[validate_placeholders], help_text="Email only, and needed there."
    )
    body = models.TextField(max_length=4000, validators=[validate_placeholders])
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["kind", "channel", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["practice", "kind", "channel"], name="message_template_per_kind_and_channel"
            ),
            models.CheckConstraint(condition=models.Q(kind__in=MessageKind.values), name="message_template_kind_known"),
            models.CheckConstraint(
                condition=models.Q(channel=MessageChannel.EMAIL) & ~models.Q(subject="")
                | models.Q(channel=MessageChannel.SMS, subject=""),
                name="message_template_subject_by_channel",
                violation_error_message="Mail needs a subject; a text message has none.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.get_channel_display()})"

    def clean(self) -> None:
        if self.channel == MessageChannel.EMAIL and not self.subject:
            raise ValidationError({"subject": ValidationError("An email needs a subject.", code="required")})
        if self.channel == MessageChannel.SMS and self.subject:
            raise ValidationError({"subject": ValidationError("A text message has no subject.", code="invalid")})
        if self.channel == MessageChannel.SMS and len(self.body) > MAX_SMS_TEMPLATE:
            message = f"A text message has at most {MAX_SMS_TEMPLATE} characters."
            raise ValidationError({"body": ValidationError(message, code="max_length")})
