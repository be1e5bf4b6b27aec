from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from patients.access import sees_restricted
from patients.models.parts import one_of
from patients.models.patient import Patient
from practices.encryption import EncryptedTextField
from practices.fields import SamePracticeForeignKey
from practices.models import TenantModel
from practices.querysets import TenantManager, TenantQuerySet
from practices.tenancy import Actor


class DuplicateCandidateQuerySet(TenantQuerySet["DuplicateCandidate"]):
    def standing(self) -> "DuplicateCandidateQuerySet":
        """Pairs that are still two charts."""
        merged = Patient.Status.MERGED
        return self.exclude(first__status=merged).exclude(second__status=merged)

    def visible_to(self, actor: Actor) -> "DuplicateCandidateQuerySet":
        """Only where both charts are."""
        if sees_restricted(actor):
            return self
        seen = Patient.objects.visible_to(actor).values("pk")
        return self.filter(first__in=seen, second__in=seen)

    def of_pair(self, one: Patient, other: Patient) -> "DuplicateCandidateQuerySet":
        first, second = sorted((one.pk, other.pk))
        return self.filter(first=first, second=second)


class DuplicateCandidateManager(TenantManager.from_queryset(DuplicateCandidateQuerySet)):  # type: ignore[misc]  # a base made at run time
    """Pairs in the active practice."""


class DuplicateCandidate(TenantModel):
    """Two charts that may be one person's, `first` the one with the lesser id. People decide; merging comes after."""

    class Status(models.TextChoices):
        OPEN = "open"
        CONFIRMED = "confirmed", "Same person"
        DISMISSED = "dismissed", "Two people"

    class Match(models.TextChoices):
        """What the two have in common."""

        NAME = "name"
        SIMILAR_NAME = "similar_name"
        BIRTH_DATE = "birth_date"
        SIMILAR_BIRTH_DATE = "similar_birth_date"
        PHONE = "phone"
        EMAIL = "email"
        IDENTIFIER = "identifier"

    area = "merge"

    first = SamePracticeForeignKey(Patient, models.CASCADE, related_name="+", db_index=False)
    second = SamePracticeForeignKey(Patient, models.CASCADE, related_name="+")
    score = models.PositiveSmallIntegerField(default=0, help_text="0 to 100; 0 of a pair that somebody proposed.")
    matched = ArrayField(models.CharField(max_length=18, choices=Match.choices), default=list, blank=True)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.OPEN)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    reason = EncryptedTextField(max_length=500, blank=True, default="", help_text="Of who proposed it.")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    note = EncryptedTextField(max_length=500, blank=True, default="", help_text="Of who decided.")

    objects: ClassVar[DuplicateCandidateManager] = DuplicateCandidateManager()

    class Meta:
        ordering = ["-score", "-id"]
        indexes = [models.Index(fields=["practice", "score", "id"], name="duplicate_by_score")]
        constraints = [
            models.UniqueConstraint(fields=["practice", "first", "second"], name="duplicate_pair_once"),
            one_of("status", ["open", "confirmed", "dismissed"], "duplicate_status_known"),
            models.CheckConstraint(condition=Q(score__lte=100), name="duplicate_score_percent"),
            models.CheckConstraint(
                condition=Q(status="open", decided_at__isnull=True) | (~Q(status="open") & Q(decided_at__isnull=False)),
                name="duplicate_decision_dated",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first} and {self.second}"
