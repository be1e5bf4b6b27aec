from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.querysets import InvitationManager
from accounts.roles import Role
from practices.models import TenantModel


class Invitation(TenantModel):
    """An address that may become a member with these roles, once and until it expires.

    Its mail carries the secret, which is made when the mail is sent and kept as a hash only.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        ACCEPTED = "accepted"
        REVOKED = "revoked"
        EXPIRED = "expired"

    area = "members"

    email = models.EmailField()
    roles = ArrayField(models.CharField(max_length=20, choices=Role.choices))
    secret_hash = models.CharField(max_length=64, blank=True, editable=False)
    expires_at = models.DateTimeField(editable=False)
    sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    accepted_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True, editable=False, db_index=False
    )
    """Null when the system invited."""

    objects: ClassVar[InvitationManager] = InvitationManager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["practice", "email"],
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="one_open_invitation_per_address",
            ),
            models.CheckConstraint(
                condition=models.Q(accepted_at=None) | models.Q(revoked_at=None), name="invitation_ends_one_way"
            ),
            models.CheckConstraint(
                condition=models.Q(roles__contained_by=Role.values, roles__len__gte=1), name="invitation_roles_known"
            ),
        ]
        indexes = [models.Index(fields=["practice", "secret_hash"], name="invitation_by_secret")]

    def __str__(self) -> str:
        return self.email

    @property
    def status(self) -> str:
        return self.status_at(timezone.now())

    def status_at(self, now: datetime) -> str:
        if self.accepted_at is not None:
            return self.Status.ACCEPTED
        if self.revoked_at is not None:
            return self.Status.REVOKED
        return self.Status.EXPIRED if self.expires_at <= now else self.Status.PENDING
