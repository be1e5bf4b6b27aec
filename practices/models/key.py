from django.db import models

from practices.models.base import TenantModel


class PracticeKey(TenantModel):
    """A key of the practice's own, wrapped in the installation's FIELD_ENCRYPTION_KEYS.

    The highest-numbered data key encrypts, every other still decrypts. `retired_at` says that no row was left under it.
    """

    class Kind(models.TextChoices):
        DATA = "data"
        INDEX = "index"

    area = "platform"
    audited = False  # its only content is the key

    kind = models.CharField(max_length=5, choices=Kind.choices)
    number = models.PositiveIntegerField()
    wrapped = models.TextField(blank=True, help_text="Empty once destroyed.")
    retired_at = models.DateTimeField(null=True, blank=True)
    destroyed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["kind", "number"]
        constraints = [
            models.UniqueConstraint(fields=["practice", "kind", "number"], name="practice_key_unique"),
            models.CheckConstraint(condition=models.Q(kind__in=["data", "index"]), name="practice_key_kind_known"),
            models.CheckConstraint(
                condition=models.Q(wrapped="", destroyed_at__isnull=False)
                | (~models.Q(wrapped="") & models.Q(destroyed_at__isnull=True)),
                name="practice_key_destroyed_is_empty",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"
