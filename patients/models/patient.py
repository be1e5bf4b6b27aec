import secrets
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone
from django.utils.functional import cached_property

from patients.access import hides
from patients.contact_values import kept_language, language_tag
from patients.names import START_LENGTH, WORD_LENGTH, normalise, words
from patients.querysets import NAME_FIELDS, PatientManager, PatientNameManager
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel, TimeZoneField, VersionedModel
from practices.tenancy import Actor

MRN_ALPHABET = "23456789BCDFGHJKMNPQRSTVWXZ"
"""No vowels and nothing that reads like something else, so that a number can be told on the telephone."""
MRN_LENGTH = 8


def new_mrn() -> str:
    """Eight random characters: 27^8 of them, so two patients of a practice practically never draw the same."""
    return "".join(secrets.choice(MRN_ALPHABET) for _ in range(MRN_LENGTH))


class Patient(VersionedModel):
    """The person a chart is about. Archived or merged, never deleted."""

    class Precision(models.TextChoices):
        YEAR = "year"
        MONTH = "month"
        DAY = "day"

    class Sex(models.TextChoices):
        MALE = "male"
        FEMALE = "female"
        OTHER = "other"
        UNKNOWN = "unknown"

    class Status(models.TextChoices):
        ACTIVE = "active"
        ARCHIVED = "archived"
        MERGED = "merged"

    area = "patients"

    mrn = models.CharField("MRN", max_length=32, default=new_mrn, blank=True, db_collation="C")
    given_name = models.CharField(max_length=100)
    family_name = models.CharField(max_length=100)
    preferred_name = models.CharField(max_length=100, blank=True)
    sort_name = models.CharField(max_length=250, editable=False, db_collation="C")
    birth_date = models.DateField(null=True, blank=True)
    birth_date_precision = models.CharField(
        max_length=5,
        choices=Precision.choices,
        default=Precision.DAY,
        help_text="How much of the birth date is known; what isn't is written as the first month or day.",
    )
    sex = models.CharField(max_length=7, choices=Sex.choices, default=Sex.UNKNOWN)
    gender_identity = models.CharField(max_length=100, blank=True)
    pronouns = models.CharField(max_length=50, blank=True)
    language = models.CharField(
        max_length=35,
        blank=True,
        validators=[language_tag],
    )
    time_zone = TimeZoneField(blank=True)
    deceased_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE, editable=False)
    merged_into = SamePracticeForeignKey(
        "self", models.PROTECT, null=True, blank=True, editable=False, related_name="merged_from"
    )
    restricted = models.BooleanField(
        default=False, help_text="Only owners, admins and the providers who treat the patient see it."
    )

    duplicate_reason = models.CharField(
        max_length=500, blank=True, editable=False, help_text="Why it was created although it looked like a duplicate."
    )

    erased_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When all that names the person was removed for good."
    )

    objects: ClassVar[PatientManager] = PatientManager()

    class Meta:
        ordering = ["sort_name", "id"]
        indexes = [
            models.Index(fields=["practice", "sort_name", "id"], name="patient_by_name"),
            models.Index(fields=["practice", "birth_date", "id"], name="patient_by_birth_date"),
            models.Index(fields=["practice", "updated_at", "id"], name="patient_by_update"),
            models.Index(fields=["practice", "id"], condition=models.Q(restricted=True), name="patient_restricted"),
            # Whoever is found by name or tag is seen, and put in order, without a look at the table.
            models.Index(
                fields=["practice", "id"], include=["sort_name", "restricted", "erased_at"], name="patient_found"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["practice", "mrn"], name="patient_mrn_unique"),
            models.CheckConstraint(
                condition=models.Q(birth_date_precision__in=["year", "month", "day"]), name="patient_precision_known"
            ),
            models.CheckConstraint(
                condition=models.Q(sex__in=["male", "female", "other", "unknown"]), name="patient_sex_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["active", "archived"], merged_into__isnull=True)
                | models.Q(status="merged", merged_into__isnull=False),
                name="patient_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.family_name}, {self.given_name}"

    def visible_to(self, actor: Actor) -> bool:
        """What `PatientQuerySet.visible_to` says of this one."""
        return not self.restricted or not hides(self.pk, actor)

    @property
    def phone(self) -> str | None:
        """The primary one."""
        return self._primary.get((self.pk, "phone"))

    @property
    def email(self) -> str | None:
        """The primary one."""
        return self._primary.get((self.pk, "email"))

    @cached_property
    def _primary(self) -> dict[tuple[UUID, str], str]:
        contacts: Any = self.contacts.all()
        primary: dict[tuple[UUID, str], str] = contacts.primary_of([self.pk])
        return primary

    def clean(self) -> None:
        """Nobody is born or dies tomorrow, or dies before being born; a day's leeway for the time zones."""
        leeway = timedelta(days=1)
        tomorrow = timezone.now() + leeway
        in_future = ValidationError("This day has not come yet.", code="in_future")
        if self.birth_date is not None and self.birth_date > tomorrow.date():
            raise ValidationError({"birth_date": in_future})
        if self.deceased_at is not None and self.deceased_at > tomorrow:
            raise ValidationError({"deceased_at": in_future})
        if self.deceased_at and self.birth_date and self.deceased_at.date() + leeway < self.birth_date:
            raise ValidationError({"deceased_at": ValidationError("This is before the birth.", code="before_birth")})

    def prepare(self) -> None:
        """Fills what is derived from the rest; before every save."""
        self.mrn = self.mrn or new_mrn()
        self.language = kept_language(self.language)
        if self.birth_date is not None and self.birth_date_precision != self.Precision.DAY:
            self.birth_date = self.birth_date.replace(day=1)
            if self.birth_date_precision == self.Precision.YEAR:
                self.birth_date = self.birth_date.replace(month=1)
        self.sort_name = f"{normalise(self.family_name)} {normalise(self.given_name)}"[:250]

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.prepare()
        if (names := kwargs.get("update_fields")) is not None:
            kwargs["update_fields"] = {*names, "sort_name"}
        before = {name: self.loaded_values.get(name) for name in NAME_FIELDS}
        with transaction.atomic():
            super().save(*args, **kwargs)
            if before != {name: getattr(self, name) for name in NAME_FIELDS}:
                PatientName.objects.keep(self)


class PatientName(TenantModel):
    """One searchable word of a patient's names, kept by saving the patient: finds a name by any of its words.

    Beside it is what a page of those found by name needs, so that one index has it in the page's order. A trigger fills
    that in, whoever writes the word or the patient.
    """

    area = "patients"
    audited = False  # derived from the patient, whose own change is audited

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="name_words")
    word = models.CharField(max_length=WORD_LENGTH, db_collation="C")
    start = models.CharField(max_length=START_LENGTH, default="", db_default="", editable=False, db_collation="C")
    sort_name = models.CharField(max_length=250, default="", db_default="", editable=False, db_collation="C")
    more_words = models.BooleanField(default=False, db_default=False, editable=False)
    """Whether the patient may have words that `sort_name` hasn't: a preferred name's, or cut off."""

    objects: ClassVar[PatientNameManager] = PatientNameManager()

    class Meta:
        indexes = [
            models.Index(
                fields=["practice", "start", "sort_name", "patient"], include=["more_words"], name="patient_name_listed"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["practice", "word", "patient"], name="patient_name_word_unique"),
        ]

    def __str__(self) -> str:
        return self.word

    @classmethod
    def of(cls, patient: Patient) -> list["PatientName"]:
        """The unsaved words of the patient's names as they are now."""
        found = {word[:WORD_LENGTH] for word in words(*(getattr(patient, name) for name in NAME_FIELDS))}
        return [cls(patient=patient, word=word) for word in sorted(found)]
