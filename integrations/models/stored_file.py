from django.conf import settings
from django.db import models
from django.db.models import Q

from practices.encryption import EncryptedTextField
from practices.models import TenantModel, new_id
from practices.tenancy import active_practice_id


def new_key(folder: str = "uploads") -> str:
    """A place in the store that says whose it is and nothing else."""
    return f"{active_practice_id()}/{folder}/{new_id()}"


def kept_key(upload: str) -> str:
    """Where an upload's bytes are kept, by its name: whoever knows one of the two places knows the other."""
    return upload.replace("/uploads/", "/documents/")


def upload_key(kept: str) -> str:
    """Where they were uploaded."""
    return kept.replace("/documents/", "/uploads/")


class StoredFile(TenantModel):
    """A file in the store: announced first, kept once its bytes were looked at."""

    class Status(models.TextChoices):
        ANNOUNCED = "announced"
        KEPT = "kept"

    area = "patients"

    key = models.CharField(max_length=200, default=new_key, editable=False)
    filename = EncryptedTextField(max_length=200)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64, blank=True, default="")
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.ANNOUNCED)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["practice", "key"], name="stored_file_key_unique"),
            models.CheckConstraint(
                condition=Q(status="announced", sha256="") | (Q(status="kept") & ~Q(sha256="")),
                name="stored_file_kept_with_hash",
            ),
        ]

    def __str__(self) -> str:
        return self.content_type
