from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from integrations.models.stored_file import new_key
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel


def new_export_key() -> str:
    return new_key("exports")


class PatientExport(TenantModel):
    """A copy of all that is kept about one patient: asked for, made by a job, fetched through a link, soon gone."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        READY = "ready"
        FAILED = "failed"
        EXPIRED = "expired"

    area = "export"

    patient = SamePracticeForeignKey("patients.Patient", models.PROTECT, related_name="exports")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.QUEUED)
    key = models.CharField(max_length=200, default=new_export_key, editable=False)
    size = models.PositiveBigIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, default="")
    error_code = models.CharField(max_length=100, blank=True, default="")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="When the copy is removed.")

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["practice", "created_at", "id"], name="patient_export_by_time"),
            models.Index(
                fields=["practice", "expires_at"], condition=Q(status="ready"), name="patient_export_by_expiry"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["queued", "ready", "failed", "expired"]), name="patient_export_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status="ready") | (Q(size__isnull=False, expires_at__isnull=False) & ~Q(sha256="")),
                name="patient_export_ready_is_there",
            ),
            models.CheckConstraint(
                condition=~Q(status="failed") | ~Q(error_code=""), name="patient_export_failed_with_reason"
            ),
        ]

    def __str__(self) -> str:
        return self.get_status_display()

    def end(self, status: str, **facts: Any) -> None:
        """`facts` are what the row says about the copy then."""
        self.status = status
        for name, value in facts.items():
            setattr(self, name, value)
        self.save(update_fields=["status", *facts, "updated_at"])
