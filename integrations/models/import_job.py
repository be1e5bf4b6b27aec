from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from integrations.models.stored_file import StoredFile
from patients.imports import Duplicates, Mode
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel


class ImportJob(TenantModel):
    """A run through an uploaded file of patients, and how far it is: of rows which and why, never what they held."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    area = "export"

    upload = SamePracticeForeignKey(StoredFile, models.PROTECT, null=True, related_name="imports")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.QUEUED)
    dry_run = models.BooleanField(default=True)
    mode = models.CharField(
        max_length=14, choices=[(each.value, each.value) for each in Mode], default=Mode.ALL_OR_NOTHING.value
    )
    duplicates = models.CharField(
        max_length=6, choices=[(each.value, each.value) for each in Duplicates], default=Duplicates.REFUSE.value
    )
    mapping: "models.JSONField[dict[str, str], dict[str, str]]" = models.JSONField(default=dict)
    rows = models.PositiveIntegerField(default=0, help_text="Looked at so far.")
    created = models.PositiveIntegerField(default=0, help_text="Created, or in a trial run those that would be.")
    skipped = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=100, blank=True, default="")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["practice", "created_at", "id"], name="import_by_time")]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "done", "failed"]), name="import_status_known"
            ),
            models.CheckConstraint(condition=Q(mode__in=[str(each) for each in Mode]), name="import_mode_known"),
            models.CheckConstraint(
                condition=Q(duplicates__in=[str(each) for each in Duplicates]), name="import_duplicates_known"
            ),
        ]

    def __str__(self) -> str:
        return self.get_status_display()

    def note(self, **facts: Any) -> None:
        for name, value in facts.items():
            setattr(self, name, value)
        self.save(update_fields=[*facts, "updated_at"])


class ImportRowError(TenantModel):
    """What is wrong with a cell of an import's file: where, and which rule it breaks."""

    area = "export"
    audited = False  # the import's own numbers tell it

    job = SamePracticeForeignKey(ImportJob, models.CASCADE, related_name="row_errors", db_index=False)
    line = models.PositiveIntegerField(help_text="In the file, where the headings are line 1.")
    field = models.CharField(max_length=30, blank=True, help_text="Empty when it is the row as a whole.")
    code = models.CharField(max_length=50)

    class Meta:
        ordering = ["line", "id"]
        indexes = [models.Index(fields=["practice", "job", "line", "id"], name="import_error_by_line")]

    def __str__(self) -> str:
        return f"{self.line}: {self.code}"
