from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.roles import Access, Area, Role, allowed
from patients.models.parts import PatientPart, one_of, ordered_period
from patients.models.patient import Patient
from practices.encryption import EncryptedTextField
from practices.fields import SamePracticeForeignKey
from practices.querysets import TenantManager, TenantQuerySet
from practices.tenancy import Actor


class AlertQuerySet(TenantQuerySet["Alert"]):
    def visible_to(self, actor: Actor) -> "AlertQuerySet":
        """All of them to who may write alerts; to others those that are for everybody or for a role of theirs."""
        if actor.kind == "system" or allowed(actor.roles, Area.ALERTS, Access.WRITE):
            return self
        return self.filter(Q(shown_to=[]) | Q(shown_to__overlap=[str(role) for role in actor.roles]))


class AlertManager(TenantManager.from_queryset(AlertQuerySet)):  # type: ignore[misc]  # a base made at run time
    """Alerts in the active practice."""


class Alert(PatientPart):
    """FHIR R4's Flag: what staff must know before they meet the patient."""

    class Severity(models.TextChoices):
        """FHIR R4's detectedissue-severity; Flag itself has none."""

        HIGH = "high"
        MODERATE = "moderate"
        LOW = "low"

    class Status(models.TextChoices):
        """FHIR R4's flag-status."""

        ACTIVE = "active"
        INACTIVE = "inactive"
        ENTERED_IN_ERROR = "entered-in-error", "Entered in error"

    area = "alerts"

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="alerts")
    text = EncryptedTextField(max_length=500)
    severity = models.CharField(max_length=8, choices=Severity.choices, default=Severity.MODERATE)
    shown_to = ArrayField(
        models.CharField(max_length=20, choices=Role.choices),
        default=list,
        blank=True,
        help_text="Roles that see it, of those that may read alerts; none means all.",
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACTIVE)
    period_start = models.DateField(null=True, blank=True)
    period_end = models.DateField(null=True, blank=True)

    objects: ClassVar[AlertManager] = AlertManager()

    class Meta:
        ordering = ["id"]
        constraints = [
            one_of("severity", ["high", "moderate", "low"], "alert_severity_known"),
            one_of("status", ["active", "inactive", "entered-in-error"], "alert_status_known"),
            models.CheckConstraint(condition=Q(shown_to__contained_by=Role.values), name="alert_roles_known"),
            ordered_period("alert_period_ordered"),
        ]

    def __str__(self) -> str:
        return f"{self.get_severity_display()} alert"
