from typing import Any

from django.db import models

from practices.encryption import EncryptedTextField
from practices.models import TenantModel


class IdempotencyKey(TenantModel):
    """The first answer to a request with an Idempotency-Key, kept for a day to be repeated."""

    area = "platform"
    audited = False  # it repeats what the audited rows of the first request say

    user_id = models.UUIDField()
    key_hash = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    body = EncryptedTextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["practice", "user_id", "key_hash"], name="idempotency_key_unique"),
        ]
        indexes = [models.Index(fields=["practice", "created_at"], name="idempotency_key_age")]

    def __str__(self) -> str:
        return self.key_hash[:8]
