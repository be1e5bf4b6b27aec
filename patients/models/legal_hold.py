from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.timezone import localtime

from patients.models.patient import Patient
from practices.encryption import EncryptedTextField
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel


class LegalHold(TenantModel):
    """Why a chart is kept whatever the policy says. While one is open, nothing of the patient is erased."""

    area = "export"

    patient = SamePracticeForeignKey(Patient, models.PROTECT, related_name="legal_holds")
    reason = EncryptedTextField(max_length=500)
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(released_at__isnull=True, released_by__isnull=True)
                | Q(released_at__isnull=False, released_by__isnull=False),
                name="legal_hold_release_paired",
            )
        ]

    def __str__(self) -> str:
        return f"Since {localtime(self.created_at):%Y-%m-%d}"
