from django.core.validators import RegexValidator
from django.db import models

from patients.models.parts import refused
from patients.models.patient import Patient
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel, VersionedModel


class Tag(VersionedModel):
    """A word that a practice sorts its patients by."""

    area = "patients"

    name = models.CharField(max_length=50)
    colour = models.CharField(
        max_length=7, blank=True, validators=[RegexValidator(r"^#[0-9a-fA-F]{6}\Z", "Write a colour like #1a2b3c.")]
    )

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["practice", "name"], name="tag_name_unique")]

    def __str__(self) -> str:
        return self.name


class PatientTag(TenantModel):
    """That a patient has a tag."""

    area = "patients"

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="tags", db_index=False)
    tag = SamePracticeForeignKey(Tag, models.CASCADE, related_name="patients", db_index=False)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["practice", "tag", "patient"], name="patient_tag_by_tag")]
        constraints = [
            models.UniqueConstraint(fields=["practice", "patient", "tag"], name="patient_tag_once"),
        ]

    def __str__(self) -> str:
        return str(self.tag)

    def clean(self) -> None:
        if PatientTag.objects.filter(patient=self.patient, tag=self.tag).exclude(pk=self.pk).exists():
            raise refused("tag", "unique", "The patient has this tag already.")
