from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.timezone import localtime

from patients.models.parts import MovedOnly, PatientPart, refused
from patients.models.patient import Patient
from practices.encryption import EncryptedTextField
from practices.fields import SamePracticeForeignKey
from practices.querysets import TenantManager
from practices.tenancy import Actor


class PatientNoteManager(TenantManager.from_queryset(MovedOnly)):  # type: ignore[misc]  # a base made at run time
    """Notes in the active practice."""


class PatientNote(PatientPart):
    """What a provider writes about a patient: a draft of its author's until they sign it, then never changed.

    What a signed note got wrong is said by an amendment, a note of its own that names it.
    """

    area = "notes"

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", editable=False)
    title = EncryptedTextField(max_length=200, blank=True)
    text = EncryptedTextField(max_length=50_000)
    signed_at = models.DateTimeField(null=True, blank=True, editable=False)
    amends = SamePracticeForeignKey("self", models.PROTECT, null=True, blank=True, related_name="amendments")

    objects: ClassVar[PatientNoteManager] = PatientNoteManager()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"Note of {localtime(self.created_at):%Y-%m-%d}" if self.created_at else "Note"

    def is_of(self, actor: Actor) -> bool:
        return actor.id is not None and self.author_id == actor.id

    @property
    def was_signed(self) -> bool:
        """Whether the database has it signed."""
        return self.loaded_values.get("signed_at") is not None

    def clean(self) -> None:
        amended = self.amends
        if amended is not None and (amended.patient_id != self.patient_id or amended.signed_at is None):
            raise refused("amends", "not_signed", "Only a signed note of the same patient is amended.")

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.was_signed:
            raise TypeError("A signed note is never edited: amend it.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        if self.was_signed:
            raise TypeError("A signed note is never deleted.")
        return super().delete(*args, **kwargs)
