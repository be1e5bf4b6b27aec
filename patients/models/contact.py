from typing import Any, ClassVar

from django.db import models

from patients.contact_values import normalised_identifier
from patients.models.patient import Patient
from patients.querysets import ContactPointManager, PatientIdentifierManager
from practices.encryption import BlindIndexField, EncryptedTextField
from practices.fields import SamePracticeForeignKey
from practices.models import VersionedModel


class IndexedValue(VersionedModel):
    """A row with an encrypted `value` and its `value_index`."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """The index is saved wherever its value is."""
        if "value" in (kwargs.get("update_fields") or ()):
            kwargs["update_fields"] = {*kwargs["update_fields"], "value_index"}
        super().save(*args, **kwargs)


class PatientIdentifier(IndexedValue):
    """A number that somebody else knows the patient by; encrypted, found by its blind index."""

    class Type(models.TextChoices):
        """FHIR R4's identifier types; `SS` is a social security number, `NI` another national one."""

        MEDICAL_RECORD = "MR", "Medical record"
        SOCIAL_SECURITY = "SS", "Social security"
        NATIONAL = "NI", "National"
        PASSPORT = "PPN", "Passport"
        DRIVER_LICENSE = "DL", "Driver's license"
        OTHER = "other", "Other"

    area = "patients"

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="identifiers", db_index=False)
    type = models.CharField(max_length=5, choices=Type.choices)
    value = EncryptedTextField(max_length=64)
    value_index = BlindIndexField("value", purpose="identifier", normalise=normalised_identifier)
    period_start = models.DateField(null=True, blank=True)
    period_end = models.DateField(null=True, blank=True)

    objects: ClassVar[PatientIdentifierManager] = PatientIdentifierManager()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["practice", "value_index"], name="identifier_by_value")]
        constraints = [
            models.UniqueConstraint(
                fields=["practice", "patient", "type", "value_index"],
                name="identifier_once_a_patient",
                violation_error_code="duplicate",
                violation_error_message="The patient has this identifier already.",
            ),
            models.CheckConstraint(
                condition=models.Q(type__in=["MR", "SS", "NI", "PPN", "DL", "other"]), name="identifier_type_known"
            ),
            models.CheckConstraint(
                condition=models.Q(period_start__isnull=True)
                | models.Q(period_end__isnull=True)
                | models.Q(period_end__gte=models.F("period_start")),
                name="identifier_period_ordered",
            ),
        ]

    def __str__(self) -> str:
        return self.get_type_display()


class ContactPoint(IndexedValue):
    """How the patient is reached; encrypted, found by its blind index. Never unique: families share."""

    class Kind(models.TextChoices):
        PHONE = "phone"
        EMAIL = "email"

    class Use(models.TextChoices):
        HOME = "home"
        WORK = "work"
        MOBILE = "mobile"
        TEMPORARY = "temp"
        OLD = "old"

    area = "patients"

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="contacts", db_index=False)
    kind = models.CharField(max_length=5, choices=Kind.choices)
    value = EncryptedTextField(max_length=254)
    value_index = BlindIndexField("value", purpose="contact")
    use = models.CharField(max_length=6, choices=Use.choices, default=Use.HOME)
    rank = models.PositiveSmallIntegerField(default=1, help_text="The lowest of a kind is the primary one.")

    objects: ClassVar[ContactPointManager] = ContactPointManager()

    class Meta:
        ordering = ["rank", "id"]
        indexes = [
            models.Index(fields=["practice", "value_index"], name="contact_by_value"),
            models.Index(fields=["practice", "patient", "rank"], name="contact_by_patient"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=["phone", "email"]), name="contact_kind_known"),
            models.CheckConstraint(
                condition=models.Q(use__in=["home", "work", "mobile", "temp", "old"]), name="contact_use_known"
            ),
            models.CheckConstraint(condition=models.Q(rank__gte=1), name="contact_rank_positive"),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()
