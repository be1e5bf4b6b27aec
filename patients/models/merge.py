from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.timezone import localtime

from patients.models.patient import Patient
from practices.encryption import EncryptedTextField
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel


class PatientMerge(TenantModel):
    """That one chart, the source, went into another, and what the source was before. Reversed, it stays as a record."""

    area = "merge"

    survivor = SamePracticeForeignKey(Patient, models.PROTECT, related_name="merges")
    source = SamePracticeForeignKey(Patient, models.PROTECT, related_name="merged_by", db_index=False)
    reason = EncryptedTextField(max_length=500)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    source_status = models.CharField(max_length=8)
    source_version = models.PositiveIntegerField()
    source_updated_at = models.DateTimeField()
    reversed_at = models.DateTimeField(null=True, blank=True)
    reversed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["practice", "created_at", "id"], name="merge_by_time")]
        constraints = [
            models.UniqueConstraint(
                fields=["practice", "source"], condition=Q(reversed_at__isnull=True), name="merged_once_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{localtime(self.created_at):%Y-%m-%d %H:%M}"


class PatientMergeItem(TenantModel):
    """A row of the source: moved to the survivor, or kept because the survivor has its like already.

    What moving changes besides the key is kept here, so that undoing it gives back the very row.
    """

    class Outcome(models.TextChoices):
        MOVED = "moved"
        KEPT = "kept"

    area = "merge"
    audited: ClassVar[bool] = False  # each row's own event tells it

    merge = SamePracticeForeignKey(PatientMerge, models.PROTECT, related_name="items", db_index=False)
    entity = models.CharField(max_length=100, help_text="app.model of the row")
    field = models.CharField(max_length=100, help_text="The key that named the source.")
    row_id = models.UUIDField()
    outcome = models.CharField(max_length=5, choices=Outcome.choices)
    constraint = models.CharField(max_length=100, blank=True, help_text="What kept it.")
    version_before = models.PositiveIntegerField(null=True)
    updated_before = models.DateTimeField()
    moved_at = models.DateTimeField(null=True, help_text="The row's `updated_at` once it had been moved.")

    class Meta:
        indexes = [models.Index(fields=["practice", "merge", "row_id"], name="merge_item_by_row")]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome="moved", moved_at__isnull=False, constraint="")
                | Q(outcome="kept", moved_at__isnull=True),
                name="merge_item_outcome_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.entity} {self.outcome}"
