from django.db import models

from patients.contact_values import country_code
from patients.models.parts import PatientPart, one_of, ordered_period
from patients.models.patient import Patient
from practices.fields import SamePracticeForeignKey


class Address(PatientPart):
    """Where a patient lives or gets post."""

    class Use(models.TextChoices):
        """FHIR R4's address-use."""

        HOME = "home"
        WORK = "work"
        TEMPORARY = "temp", "Temporary"
        OLD = "old"
        BILLING = "billing"

    class Type(models.TextChoices):
        """FHIR R4's address-type."""

        POSTAL = "postal"
        PHYSICAL = "physical"
        BOTH = "both"

    area = "patients"

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="addresses")
    use = models.CharField(max_length=7, choices=Use.choices, default=Use.HOME)
    type = models.CharField(max_length=8, choices=Type.choices, default=Type.BOTH)
    line1 = models.CharField(max_length=200)
    line2 = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(
        max_length=2, blank=True, validators=[country_code], help_text="ISO 3166-1, two letters, such as US."
    )
    period_start = models.DateField(null=True, blank=True)
    period_end = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "addresses"
        constraints = [
            one_of("use", ["home", "work", "temp", "old", "billing"], "address_use_known"),
            one_of("type", ["postal", "physical", "both"], "address_type_known"),
            ordered_period("address_period_ordered"),
        ]

    def __str__(self) -> str:
        return ", ".join(part for part in (self.line1, self.postal_code, self.city, self.country) if part)
