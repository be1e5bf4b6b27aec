from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from patients.models.parts import PatientPart, one_of, ordered_period, refused
from patients.models.patient import Patient
from practices.encryption import EncryptedTextField
from practices.fields import SamePracticeForeignKey

PRIMARY = 1


class Coverage(PatientPart):
    """An insurance that pays for a patient's visits. At any time at most one that is active is the primary.

    The database can't promise that: a merge puts two patients' coverages together, and people then order them. Every
    other change goes through a service that holds the patient's lock.
    """

    class Status(models.TextChoices):
        """FHIR R4's fm-status."""

        ACTIVE = "active"
        CANCELLED = "cancelled"
        DRAFT = "draft"
        ENTERED_IN_ERROR = "entered-in-error", "Entered in error"

    area = "coverage"

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="coverages", db_index=False)
    payer = models.CharField(max_length=200)
    plan = models.CharField(max_length=200, blank=True)
    member_id = EncryptedTextField(max_length=64)
    order = models.PositiveSmallIntegerField(
        default=PRIMARY,
        validators=[MinValueValidator(PRIMARY), MaxValueValidator(20)],
        help_text="Who pays first: 1 is the primary.",
    )
    period_start = models.DateField(null=True, blank=True)
    period_end = models.DateField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACTIVE)

    class Meta:
        ordering = ["order", "id"]
        indexes = [models.Index(fields=["practice", "patient", "order", "id"], name="coverage_by_patient")]
        constraints = [
            one_of("status", ["active", "cancelled", "draft", "entered-in-error"], "coverage_status_known"),
            models.CheckConstraint(condition=Q(order__gte=PRIMARY), name="coverage_order_positive"),
            ordered_period("coverage_period_ordered"),
        ]

    def __str__(self) -> str:
        return f"{self.payer} {self.plan}".strip()

    def clean(self) -> None:
        if self.status == self.Status.ACTIVE and self.order == PRIMARY and self._rivals().exists():
            sentence = "The patient has another primary coverage at this time: end it, or give this one a later order."
            raise refused("order", "primary_taken", sentence)

    def _rivals(self) -> "models.QuerySet[Coverage]":
        """Other primary coverages whose period shares a day with this one's."""
        others: models.QuerySet[Coverage] = Coverage.objects.filter(
            patient=self.patient, status=self.Status.ACTIVE, order=PRIMARY
        ).exclude(pk=self.pk)
        if self.period_start is not None:
            others = others.filter(Q(period_end__isnull=True) | Q(period_end__gte=self.period_start))
        if self.period_end is not None:
            others = others.filter(Q(period_start__isnull=True) | Q(period_start__lte=self.period_end))
        return others
