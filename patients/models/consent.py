from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from patients.models.parts import MovedOnly, one_of
from patients.models.patient import Patient
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel
from practices.querysets import TenantManager


class ConsentQuerySet(MovedOnly["Consent"]):
    def current(self) -> "ConsentQuerySet":
        """What holds now: the last record of each patient and kind. It may be filtered further."""
        of_same = Consent.objects.filter(patient=OuterRef("patient"), kind=OuterRef("kind"))
        later = of_same.filter(Q(at__gt=OuterRef("at")) | Q(at=OuterRef("at"), pk__gt=OuterRef("pk")))
        return self.filter(~Exists(later))

    def withdrawn(self, kind: str) -> "ConsentQuerySet":
        """Of who took this consent back. Who was never asked is not among them."""
        return self.current().filter(kind=kind, status=Consent.Status.WITHDRAWN)

    def _stamps(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Moving a record to another chart is no new version."""
        return {name: value for name, value in super()._stamps(kwargs).items() if name != "version"}


class ConsentManager(TenantManager.from_queryset(ConsentQuerySet)):  # type: ignore[misc]  # a base made at run time
    """Consents in the active practice."""


class Consent(TenantModel):
    """That a patient gave or withdrew a consent at a moment. Written once: the last one of a kind holds.

    No unique constraint numbers them: after a merge a chart has two first versions of a kind, and `at` decides.
    """

    class Kind(models.TextChoices):
        PRIVACY = "privacy"
        TREATMENT = "treatment"
        SMS = "sms", "SMS"
        EMAIL = "email"
        MARKETING = "marketing"

    class Status(models.TextChoices):
        GIVEN = "given"
        WITHDRAWN = "withdrawn"

    area = "patients"

    patient = SamePracticeForeignKey(Patient, models.CASCADE, related_name="consents", db_index=False)
    kind = models.CharField(max_length=9, choices=Kind.choices)
    status = models.CharField(max_length=9, choices=Status.choices)
    version = models.PositiveIntegerField(
        default=1, editable=False, help_text="Counts the patient's records of this kind."
    )
    at = models.DateTimeField(default=timezone.now, help_text="When it was given or withdrawn; now, if left out.")
    wording = models.CharField(
        max_length=100, blank=True, help_text="Which text the patient was shown, such as privacy-2027-03."
    )

    objects: ClassVar[ConsentManager] = ConsentManager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["practice", "patient", "kind", "-at", "-id"], name="consent_by_patient")]
        constraints = [
            one_of("kind", ["privacy", "treatment", "sms", "email", "marketing"], "consent_kind_known"),
            one_of("status", ["given", "withdrawn"], "consent_status_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.status}"

    def clean(self) -> None:
        if self.at > timezone.now():
            raise ValidationError({"at": ValidationError("This moment has not come yet.", code="in_future")})

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A consent is never edited: record what holds now.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("A consent is never deleted: record that it was withdrawn.")
