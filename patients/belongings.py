"""What belongs to a patient, found by introspection: the rows of every model from which keys lead to one.

A new model is among them by itself. Keys *from* a patient's rows to what many share (a provider, a tag) don't lead on.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache, reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models
from django.db.models import Q

from patients.models import Patient
from practices.models import TenantModel
from practices.querysets import TenantQuerySet
from practices.tenancy import ActivePractice


@dataclass(frozen=True, slots=True)
class Belonging:
    """A model whose rows are about one patient each, and the look-ups that lead to them."""

    model: type[TenantModel]
    paths: tuple[str, ...]

    @property
    def entity(self) -> str:
        return self.model._meta.label_lower

    def of(self, people: Collection[UUID]) -> TenantQuerySet[Any]:
        """The practice's, whatever else the model's own manager leaves out or refuses."""
        found = reduce(or_, (Q(**{f"{path}__in": people}) for path in self.paths))
        return TenantQuerySet(self.model).filter(found, practice_id=ActivePractice())


@cache
def belongings() -> tuple[Belonging, ...]:
    """The patient first, then each model after those that it leads through."""
    found: dict[Any, list[str]] = {Patient: ["pk"]}
    waiting = [model for model in apps.get_models() if issubclass(model, TenantModel) and model is not Patient]
    while level := {model: paths for model in waiting if (paths := list(_paths(model, found)))}:
        found |= level
        waiting = [model for model in waiting if model not in level]
    return tuple(Belonging(model, tuple(paths)) for model, paths in found.items())


def _paths(model: type[TenantModel], found: dict[Any, list[str]]) -> Iterator[str]:
    for key in keys_of(model):
        for path in found.get(key.related_model, ()):
            yield key.attname if path == "pk" else f"{key.name}__{path}"


def keys_of(model: type[TenantModel]) -> "list[models.ForeignKey[Any, Any]]":
    return [each for each in model._meta.concrete_fields if isinstance(each, models.ForeignKey)]


def same_person(patient: Patient) -> list[UUID]:
    """The patient and whoever was merged into them, and into those. A query for each link of the chain."""
    people = last = [patient.pk]
    while last := list(Patient.objects.filter(merged_into__in=last).values_list("pk", flat=True)):
        people = people + last
    return people
