from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models.membership import Membership
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel


class ApiKey(TenantModel):
    """Lets a program do some of what its maker may do, until it expires. Of the key itself only a hash is kept."""

    area = "api_keys"

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=8, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(models.CharField(max_length=40))
    member = SamePracticeForeignKey(Membership, models.CASCADE, related_name="api_keys", editable=False)
    """Who made it, and whose present roles it never exceeds."""
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["practice", "prefix"], name="api_key_prefix_unique")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"
