from django.db import models

from patients.models.parts import PatientPart, one_of, ordered_period, refused
from patients.models.patient import Patient
from practices.encryption import EncryptedTextField
from practices.fields import SamePracticeForeignKey


class Coded(PatientPart):
    """Something clinical with a code, where somebody chose one: FHIR's coding, its system a URI such as
    `http://snomed.info/sct`.
    """

    code = models.CharField(max_length=64, blank=True)
    code_system = models.CharField(max_length=200, blank=True)
    note = EncryptedTextField(max_length=10_000, blank=True)

    class Meta:
        abstract = True

    def clean(self) -> None:
        if bool(self.code) != bool(self.code_system):
            missing = "code_system" if self.code else "code"
            raise refused(missing, "required", "A code and its system belong together.")


class Allergy(Coded):
    """FHIR R4's AllergyIntolerance."""

    class Category(models.TextChoices):
        FOOD = "food"
        MEDICATION = "medication"
        ENVIRONMENT = "environment"
        BIOLOGIC = "biologic"

    class Criticality(models.TextChoices):
        LOW = "low"
        HIGH = "high"
        UNABLE_TO_ASSESS = "unable-to-assess", "Unable to assess"

    class ClinicalStatus(models.TextChoices):
        ACTIVE = "active"
        INACTIVE = "inactive"
        RESOLVED = "resolved"

    class VerificationStatus(models.TextChoices):
        UNCONFIRMED = "unconfirmed"
        CONFIRMED = "confirmed"
        REFUTED = "refuted"
        ENTERED_IN_ERROR = "entered-in-error", "Entered in error"

    area = "clinical"

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="allergies")
    substance = models.CharField(max_length=200)
    category = models.CharField(max_length=11, choices=Category.choices, blank=True)
    criticality = models.CharField(max_length=16, choices=Criticality.choices, blank=True)
    clinical_status = models.CharField(max_length=8, choices=ClinicalStatus.choices, default=ClinicalStatus.ACTIVE)
    verification_status = models.CharField(
        max_length=16, choices=VerificationStatus.choices, default=VerificationStatus.UNCONFIRMED
    )
    reaction = EncryptedTextField(max_length=500, blank=True)
    onset = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "allergies"
        constraints = [
            one_of("category", ["", "food", "medication", "environment", "biologic"], "allergy_category_known"),
            one_of("criticality", ["", "low", "high", "unable-to-assess"], "allergy_criticality_known"),
            one_of("clinical_status", ["active", "inactive", "resolved"], "allergy_status_known"),
            one_of(
                "verification_status",
                ["unconfirmed", "confirmed", "refuted", "entered-in-error"],
                "allergy_verification_known",
            ),
        ]

    def __str__(self) -> str:
        return self.substance


class MedicationStatement(Coded):
    """FHIR R4's MedicationStatement: what a patient takes or took, as far as is known."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        COMPLETED = "completed"
        ENTERED_IN_ERROR = "entered-in-error", "Entered in error"
        INTENDED = "intended"
        STOPPED = "stopped"
        ON_HOLD = "on-hold", "On hold"
        UNKNOWN = "unknown"
        NOT_TAKEN = "not-taken", "Not taken"

    area = "clinical"

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="medications")
    medication = models.CharField(max_length=200)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACTIVE)
    dosage = EncryptedTextField(max_length=500, blank=True)
    period_start = models.DateField(null=True, blank=True)
    period_end = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    status__in=[
                        *("active", "completed", "entered-in-error", "intended"),
                        *("stopped", "on-hold", "unknown", "not-taken"),
                    ]
                ),
                name="medication_status_known",
            ),
            ordered_period("medication_period_ordered"),
        ]

    def __str__(self) -> str:
        return self.medication
