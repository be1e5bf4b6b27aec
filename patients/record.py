"""The record of a patient for themselves (right of access): everything that belongs to them, as JSON."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import QuerySet

from patients.belongings import Belonging, belongings, keys_of
from practices.encryption import BlindIndexField
from practices.models import Practice

LEFT_OUT = {
    "patients.duplicatecandidate": "names the chart of somebody else who is like them",
    "patients.patientname": "words of the names, which the patient's own row has",
}
"""Models whose rows are not in it, and why. Whatever isn't named here is in it."""
HIDDEN = {"key"}
"""Where a file lies in the store: of use to nobody else."""
CHUNK = 500

Row = dict[str, Any]
Table = tuple[str, Iterable[Row]]
sources: list[Callable[[Collection[UUID]], Iterator[Table]]] = []
"""What an app above knows of these patients without a key to them: each gives tables, a name and rows."""


def record_of(people: Collection[UUID]) -> Iterator[Table]:
    """Tables in turn, each to be read before the next: rows stream from the database. Inside the practice's scope.

    The last one says what the ids of whom and what many share stand for.
    """
    shared: dict[type[models.Model], set[UUID]] = {}
    own = {each.model for each in belongings()}
    for belonging in belongings():
        if belonging.entity not in LEFT_OUT:
            yield belonging.entity, _rows(belonging, people, own, shared)
    for source in sources:
        yield from source(people)
    yield "names", _names(shared)


def _rows(
    belonging: Belonging, people: Collection[UUID], own: set[Any], shared: dict[type[models.Model], set[UUID]]
) -> Iterator[Row]:
    columns = [field for field in belonging.model._meta.concrete_fields if _is_shown(field)]
    keys = [key for key in keys_of(belonging.model) if key.related_model not in {*own, Practice}]
    for row in belonging.of(people).order_by("pk").iterator(chunk_size=CHUNK):
        for key in keys:
            if (pk := getattr(row, key.attname)) is not None:
                shared.setdefault(key.related_model, set()).add(pk)
        yield {field.attname: getattr(row, field.attname) for field in columns}


def _is_shown(field: "models.Field[Any, Any]") -> bool:
    return field.name not in {*HIDDEN, "practice"} and not isinstance(field, BlindIndexField)


def _names(shared: dict[type[models.Model], set[UUID]]) -> Iterator[Row]:
    for model, ids in shared.items():
        rows: QuerySet[Any] = model._default_manager.filter(pk__in=ids)
        yield from ({"id": row.pk, "entity": model._meta.label_lower, "name": str(row)} for row in rows)
