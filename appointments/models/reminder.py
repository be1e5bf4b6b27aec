from datetime import datetime

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.timezone import localtime

from appointments.models.appointment import Appointment
from appointments.models.visit_type import AppointmentType
from patients.models import Consent
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel, VersionedModel


class ReminderRule(VersionedModel):
    """Patients are reminded `days_before` days earlier, as the clock on the wall shows it, and `minutes_before`
    minutes before that. Without appointment types it is for all of them.
    """

    class Channel(models.TextChoices):
        EMAIL = "email", "Email"
        SMS = "sms", "SMS"

    area = "practice_settings"

    name = models.CharField(max_length=100)
    channel = models.CharField(max_length=10, choices=Channel)
    days_before = models.PositiveSmallIntegerField(default=1, validators=[MaxValueValidator(60)])
    minutes_before = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(1440)])
    appointment_types = models.ManyToManyField(
        AppointmentType, through="ReminderRuleType", blank=True, related_name="reminder_rules"
    )
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["practice", "name"], name="reminder_rule_name_unique"),
            models.CheckConstraint(
                condition=models.Q(days_before__lte=60, minutes_before__lte=1440)
                & (models.Q(days_before__gte=1) | models.Q(minutes_before__gte=1)),
                name="reminder_rule_leads",
                violation_error_message="Remind at least a minute and at most 60 days before the visit.",
            ),
            models.CheckConstraint(
                condition=models.Q(channel__in=["email", "sms"]), name="reminder_rule_channel_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ReminderRuleType(TenantModel):
    """A kind of visit that a rule is for."""

    area = "practice_settings"

    rule = SamePracticeForeignKey(ReminderRule, models.CASCADE, related_name="types", db_index=False)
    appointment_type = SamePracticeForeignKey(AppointmentType, models.CASCADE, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["practice", "rule", "appointment_type"], name="reminder_rule_type_unique"),
        ]

    def __str__(self) -> str:
        return str(self.appointment_type)


class Reminder(TenantModel):
    """When one rule's message about one visit is due, and whether it went out. Kept by `services.reminders`."""

    class Status(models.TextChoices):
        SCHEDULED = "scheduled"
        SENT = "sent"
        SKIPPED = "skipped"
        CANCELLED = "cancelled"

    area = "appointments"
    audited = False  # derived from the visit and the rule, whose own changes are audited; what is sent is a message

    appointment = SamePracticeForeignKey(Appointment, models.CASCADE, related_name="reminders", db_index=False)
    rule = SamePracticeForeignKey(ReminderRule, models.CASCADE, related_name="reminders")
    channel = models.CharField(max_length=10, choices=ReminderRule.Channel)
    due_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=Status, default=Status.SCHEDULED)
    skip_reason = models.CharField(max_length=30, blank=True, default="")

    class Meta:
        ordering = ["due_at", "id"]
        indexes = [
            models.Index(
                fields=["practice", "due_at"], condition=models.Q(status="scheduled"), name="reminder_by_due_time"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["practice", "appointment", "rule"], name="one_reminder_per_rule"),
            models.CheckConstraint(
                condition=models.Q(status__in=["scheduled", "sent", "cancelled"], skip_reason="")
                | (models.Q(status="skipped") & ~models.Q(skip_reason="")),
                name="reminder_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} at {localtime(self.due_at):%Y-%m-%d %H:%M}"

    def refusal(self, now: datetime) -> str:
        """Why it must not go out, as a code; empty when it may. The one place that asks, whatever the channel."""
        patient, start = self.appointment.patient, self.appointment.start
        if self.appointment.status != "booked":
            return "not_booked"
        if start is None or start <= now:
            return "too_late"
        if patient.deceased_at is not None:
            return "patient_deceased"
        if patient.status != "active":
            return "patient_not_active"
        opted_out = Consent.objects.withdrawn(self.channel).filter(patient=patient).exists()
        return "patient_opted_out" if opted_out else ""

    def settle(self, skip_reason: str = "") -> None:
        """Sent, or skipped for this reason."""
        self.status = self.Status.SKIPPED if skip_reason else self.Status.SENT
        self.skip_reason = skip_reason
        self.save(update_fields=["status", "skip_reason", "updated_at"])
