from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.timezone import localtime

from patients.access import ways_in
from patients.models.patient import Patient
from practices.encryption import EncryptedTextField
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel
from practices.querysets import TenantManager, TenantQuerySet
from practices.tenancy import Actor

LIFETIME = timedelta(minutes=60)


def in_an_hour() -> Any:
    return timezone.now() + LIFETIME


class AccessGrantQuerySet(TenantQuerySet["AccessGrant"]):
    def open_to(self, actor: Actor) -> "AccessGrantQuerySet":
        """Those that let this user in now."""
        return self.filter(user_id=str(actor.id), expires_at__gt=timezone.now())


class AccessGrantManager(TenantManager.from_queryset(AccessGrantQuerySet)):  # type: ignore[misc]  # a base made at run time
    """Grants in the active practice."""


class AccessGrant(TenantModel):
    """Break-glass: somebody was let into one restricted chart for an hour, said why, and is to be asked about it."""

    area = "audit"  # who reviews it; whoever takes one needs `break_glass`

    patient = SamePracticeForeignKey(Patient, models.PROTECT, related_name="access_grants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    reason = EncryptedTextField(max_length=500)
    expires_at = models.DateTimeField(default=in_an_hour)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    review_note = EncryptedTextField(max_length=500, blank=True, default="")

    objects: ClassVar[AccessGrantManager] = AccessGrantManager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["practice", "created_at", "id"], name="grant_by_time"),
            models.Index(fields=["practice", "user", "expires_at"], name="grant_by_user"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(reviewed_at__isnull=True, reviewed_by__isnull=True)
                | models.Q(reviewed_at__isnull=False, reviewed_by__isnull=False),
                name="grant_review_paired",
            )
        ]

    def __str__(self) -> str:
        return f"Until {localtime(self.expires_at):%Y-%m-%d %H:%M}"


def _granted(actor: Actor) -> models.Exists:
    return models.Exists(AccessGrant.objects.open_to(actor).filter(patient=models.OuterRef("pk")))


ways_in.append(_granted)
