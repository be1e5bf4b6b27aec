from typing import ClassVar

from django.db import models
from django.utils import timezone

from accounts.roles import Area
from integrations.models.message_template import MessageChannel, MessageKind
from integrations.querysets import MessageManager
from practices.encryption import EncryptedTextField
from practices.fields import SamePracticeForeignKey
from practices.models.base import TenantModel


class MessageStatus(models.TextChoices):
    QUEUED = "queued", "Queued"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"


class Message(TenantModel):
    """One message to a patient: where it went and what became of it. Its text isn't kept.

    `sent` means the vendor took it. One found `sending` belongs to a running job, or to a killed worker whose job
    will be run again: then it may reach the patient twice, since neither email nor SMS vendors recognise a repeat.
    """

    area: ClassVar[str] = Area.MESSAGES

    kind = models.CharField(max_length=40, choices=MessageKind)
    channel = models.CharField(max_length=10, choices=MessageChannel)
    to = EncryptedTextField(max_length=254)
    patient = SamePracticeForeignKey("patients.Patient", models.PROTECT, related_name="messages")
    appointment = SamePracticeForeignKey(
        "appointments.Appointment", models.PROTECT, null=True, blank=True, related_name="messages"
    )
    status = models.CharField(max_length=10, choices=MessageStatus, default=MessageStatus.QUEUED)
    vendor = models.CharField(max_length=20, blank=True)
    vendor_id = models.CharField(max_length=100, blank=True)
    error_code = models.CharField(max_length=100, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[MessageManager] = MessageManager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["practice", "-created_at", "-id"], name="message_newest_first"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=MessageKind.values), name="message_kind_known"),
            models.CheckConstraint(condition=models.Q(channel__in=MessageChannel.values), name="message_channel_known"),
            models.CheckConstraint(condition=models.Q(status__in=MessageStatus.values), name="message_status_known"),
            models.CheckConstraint(
                condition=models.Q(status=MessageStatus.SENT, sent_at__isnull=False)
                | (~models.Q(status=MessageStatus.SENT) & models.Q(sent_at__isnull=True)),
                name="message_sent_at_when_sent",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=MessageStatus.FAILED) | ~models.Q(error_code=""),
                name="message_failed_with_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} by {self.get_channel_display()}"

    @property
    def ended(self) -> bool:
        return self.status in {MessageStatus.SENT, MessageStatus.FAILED}

    def start_sending(self) -> None:
        self.status = MessageStatus.SENDING
        self.save(update_fields=["status", "updated_at"])

    def mark_sent(self, *, vendor: str, vendor_id: str) -> None:
        self.status, self.sent_at, self.error_code = MessageStatus.SENT, timezone.now(), ""
        self.vendor, self.vendor_id = vendor, vendor_id[:100]
        self.save(update_fields=["status", "sent_at", "error_code", "vendor", "vendor_id", "updated_at"])

    def mark_refused(self, code: str, *, final: bool) -> None:
        """Failed for good, or back in the queue until the vendor is well again."""
        self.status = MessageStatus.FAILED if final else MessageStatus.QUEUED
        self.error_code = code[:100]
        self.save(update_fields=["status", "error_code", "updated_at"])
