"""Every key that names a patient, found by introspection: what a merge moves, and what stays where it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import Exists, OuterRef, Q, UniqueConstraint

from patients.models import Patient
from practices.models import TenantModel, VersionedModel
from practices.querysets import TenantQuerySet
from practices.tenancy import ActivePractice

STAYS = {
    "patients.accessgrant.patient": "who was let into one chart was not let into another",
    "patients.duplicatecandidate.first": "the pair is what was looked at, and is shown while both are charts",
    "patients.duplicatecandidate.second": "as above",
    "patients.patient.merged_into": "an earlier merge, which is undone after this one",
    "patients.patientmerge.source": "as above",
    "patients.patientmerge.survivor": "as above",
    "patients.patientname.patient": "the source is still found by its names, and says where it went",
}
"""Keys that a merge leaves alone, and why. Whatever isn't named here is moved."""


@dataclass(frozen=True, slots=True)
class PatientKey:
    """A column that names a patient."""

    model: type[TenantModel]
    field: "models.ForeignKey[Any, Any]"

    @property
    def entity(self) -> str:
        return self.model._meta.label_lower

    @property
    def name(self) -> str:
        return f"{self.entity}.{self.field.name}"

    @property
    def counts_versions(self) -> bool:
        return issubclass(self.model, VersionedModel)

    def rows(self) -> TenantQuerySet[Any]:
        """The practice's, whatever else the model's own manager leaves out or refuses."""
        return TenantQuerySet(self.model).filter(practice_id=ActivePractice())

    def of(self, patient: Patient) -> TenantQuerySet[Any]:
        return self.rows().filter(**{self.field.attname: patient.pk})

    def clashing(self, source: Patient, survivor: Patient) -> Iterator[tuple[str, TenantQuerySet[Any]]]:
        """Unique constraint -> the source's rows of which the survivor has the like."""
        for constraint in self.uniques():
            condition = constraint.condition or Q()
            same = {name: OuterRef(name) for name in constraint.fields if name not in ("practice", self.field.name)}
            twin = self.of(survivor).filter(condition, **same)
            yield constraint.name, self.of(source).filter(condition, Exists(twin))

    def uniques(self) -> list[UniqueConstraint]:
        """Those that this key is a part of."""
        found = [each for each in self.model._meta.constraints if isinstance(each, UniqueConstraint)]
        return [each for each in found if self.field.name in each.fields]


@cache
def patient_keys() -> tuple[PatientKey, ...]:
    return tuple(
        PatientKey(model, field)
        for model in sorted(apps.get_models(), key=lambda model: model._meta.label_lower)
        if issubclass(model, TenantModel)
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and field.related_model is Patient
    )


def moved_keys() -> list[PatientKey]:
    return [key for key in patient_keys() if key.name not in STAYS]
