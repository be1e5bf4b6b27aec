from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.roles import Access, Area, allowed
from patients.models.parts import PatientPart, one_of
from patients.models.patient import Patient
from practices.encryption import EncryptedTextField
from practices.fields import SamePracticeForeignKey
from practices.querysets import TenantManager, TenantQuerySet
from practices.tenancy import Actor


class PatientDocumentQuerySet(TenantQuerySet["PatientDocument"]):
    def visible_to(self, actor: Actor) -> "PatientDocumentQuerySet":
        """Restricted ones only to who reads notes."""
        if actor.kind == "system" or allowed(actor.roles, Area.NOTES, Access.READ):
            return self
        return self.exclude(sensitivity=PatientDocument.Sensitivity.RESTRICTED)


class PatientDocumentManager(TenantManager.from_queryset(PatientDocumentQuerySet)):  # type: ignore[misc]  # a base made at run time
    """Documents in the active practice."""


class PatientDocument(PatientPart):
    """What a file in a chart is. The bytes are kept by `integrations`, whose row the key names."""

    class Category(models.TextChoices):
        REFERRAL = "referral"
        RESULT = "result"
        LETTER = "letter"
        IMAGE = "image"
        CONSENT = "consent"
        IDENTIFICATION = "identification"
        INSURANCE = "insurance"
        OTHER = "other"

    class Sensitivity(models.TextChoices):
        NORMAL = "normal"
        RESTRICTED = "restricted"

    class Status(models.TextChoices):
        """FHIR R4's document-reference-status."""

        CURRENT = "current"
        SUPERSEDED = "superseded"
        ENTERED_IN_ERROR = "entered-in-error", "Entered in error"

    area = "patients"

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="documents")
    file = SamePracticeForeignKey(
        "integrations.StoredFile", models.PROTECT, related_name="documents", db_index=False, editable=False
    )
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", editable=False)
    title = EncryptedTextField(max_length=200)
    category = models.CharField(max_length=14, choices=Category.choices)
    sensitivity = models.CharField(max_length=10, choices=Sensitivity.choices, default=Sensitivity.NORMAL)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.CURRENT)

    objects: ClassVar[PatientDocumentManager] = PatientDocumentManager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["practice", "file"], name="document_has_its_own_file"),
            models.CheckConstraint(
                condition=Q(
                    category__in=[
                        *("referral", "result", "letter", "image"),
                        *("consent", "identification", "insurance", "other"),
                    ]
                ),
                name="document_category_known",
            ),
            one_of("sensitivity", ["normal", "restricted"], "document_sensitivity_known"),
            one_of("status", ["current", "superseded", "entered-in-error"], "document_status_known"),
        ]

    def __str__(self) -> str:
        return self.get_category_display()
