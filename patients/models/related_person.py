from django.db import models
from django.db.models import Q

from patients.contact_values import kept_email, kept_phone
from patients.models.parts import PatientPart, one_of, ordered_period, refused
from patients.models.patient import Patient
from practices.encryption import EncryptedTextField
from practices.fields import SamePracticeForeignKey

RELATIONSHIPS = [
    "MTH",
    "FTH",
    "PRN",
    "GRPRN",
    "SPS",
    "DOMPART",
    "CHILD",
    "SIB",
    "FAMMEMB",
    "GUARD",
    "POWATT",
    "FRND",
    "NBOR",
]


class RelatedPerson(PatientPart):
    """Somebody who belongs to a patient: whom to call in an emergency, or who decides for them."""

    class Relationship(models.TextChoices):
        """Of HL7 v3's RoleCode, which FHIR R4 names for RelatedPerson.relationship."""

        MOTHER = "MTH", "Mother"
        FATHER = "FTH", "Father"
        PARENT = "PRN", "Parent"
        GRANDPARENT = "GRPRN", "Grandparent"
        SPOUSE = "SPS", "Spouse"
        PARTNER = "DOMPART", "Partner"
        CHILD = "CHILD", "Child"
        SIBLING = "SIB", "Sibling"
        FAMILY = "FAMMEMB", "Other family"
        GUARDIAN = "GUARD", "Guardian"
        POWER_OF_ATTORNEY = "POWATT", "Power of attorney"
        FRIEND = "FRND", "Friend"
        NEIGHBOUR = "NBOR", "Neighbour"

    class Authority(models.TextChoices):
        """Each includes those before it."""

        INFORMATION = "information", "May be told"
        TREATMENT = "treatment", "May consent to treatment"
        FULL = "full", "Decides in everything"

    area = "patients"

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="related_persons")
    given_name = models.CharField(max_length=100)
    family_name = models.CharField(max_length=100, blank=True)
    relationship = models.CharField(max_length=7, choices=Relationship.choices)
    phone = EncryptedTextField(max_length=50, blank=True)
    email = EncryptedTextField(max_length=254, blank=True)
    guardian = models.BooleanField(default=False, help_text="Decides for the patient, within `authority` and period.")
    emergency = models.BooleanField(default=False, help_text="To be called in an emergency.")
    authority = models.CharField(max_length=11, choices=Authority.choices, blank=True)
    period_start = models.DateField(null=True, blank=True)
    period_end = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            one_of(
                "relationship",
                [
                    "MTH",
                    "FTH",
                    "PRN",
                    "GRPRN",
                    "SPS",
                    "DOMPART",
                    "CHILD",
                    "SIB",
                    "FAMMEMB",
                    "GUARD",
                    "POWATT",
                    "FRND",
                    "NBOR",
                ],
                "related_person_relationship_known",
            ),
            one_of("authority", ["", "information", "treatment", "full"], "related_person_authority_known"),
            models.CheckConstraint(
                condition=Q(guardian=False) | Q(authority__in=["treatment", "full"]),
                name="related_person_guardian_has_authority",
                violation_error_code="authority_required",
                violation_error_message="A guardian needs authority: for treatment, or full.",
            ),
            ordered_period("related_person_period_ordered"),
        ]

    def __str__(self) -> str:
        return f"{self.given_name} {self.family_name}".strip()

    def clean(self) -> None:
        """Puts phone and email into the form in which all are kept."""
        self.phone = kept_phone(self.phone, "phone") if self.phone else ""
        self.email = kept_email(self.email, "email") if self.email else ""
        if self.guardian and not self.authority:
            raise refused("authority", "authority_required", "A guardian needs authority: for treatment, or full.")
