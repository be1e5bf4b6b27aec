"""What an event says about a row: the changed fields, and whose patient's data it is."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import DateTimeRangeField
from django.db import models
from django.db.models.expressions import BaseExpression, Combinable

from patients.belongings import belongings
from practices.encryption import BlindIndexField, EncryptedTextField

_IMPERSONAL = (
    *(models.ForeignKey, models.UUIDField, models.BooleanField, models.IntegerField, models.DecimalField),
    *(models.DateTimeField, models.TimeField, models.DurationField, DateTimeRangeField),
)
"""Kinds of columns whose values may be told of whatever belongs to a patient. No dates: one is born on one."""

Changes = dict[str, list[Any] | None]

BOOKKEEPING = frozenset({"id", "practice_id", "created_at", "updated_at", "version", "last_login", "last_used_at"})
"""Columns that follow from the event itself, or from an event of another kind."""
CLINICAL_AREAS = frozenset({"clinical", "alerts", "notes"})
_EMPTIED = (str, list, dict)
"""What says nothing when it is empty; a zero or a No does."""
SECRET_NAMES = ("password", "secret", "token", "hash", "digest")


def created(model: type[models.Model], values: Mapping[str, Any]) -> Changes:
    """Of a new row: what it was given."""
    return {
        name: None if withheld else [None, plain(value)]
        for name, withheld in _columns(model).items()
        if (value := values.get(name)) is not None and (value or not isinstance(value, _EMPTIED))
    }


def deleted(model: type[models.Model], values: Mapping[str, Any]) -> Changes:
    """Of a row that is gone: what it held."""
    return {name: pair and pair[::-1] for name, pair in created(model, values).items()}


def updated(
    model: type[models.Model], before: Mapping[str, Any], after: Mapping[str, Any], names: Iterable[str] | None = None
) -> Changes:
    """Fields of `after` that differ from `before`; only those of `names` (fields or columns) when given."""
    columns = _columns(model)
    written = (
        columns.keys() & after.keys() if names is None else columns.keys() & _attnames(model, names) & after.keys()
    )
    return {
        name: None if columns[name] else [plain(before.get(name)), plain(after[name])]
        for name in columns
        if name in written and (name not in before or before[name] != after[name])
    }


def plain(value: Any) -> Any:
    """An expression (`F("n") + 1`) has no value before PostgreSQL computed it: its text stands in."""
    return str(value) if isinstance(value, BaseExpression | Combinable) else value


def tells(model: type[models.Model], names: Iterable[str] | None) -> bool:
    """Whether writing these fields or columns is worth an event: bookkeeping alone is not."""
    return names is None or bool(_columns(model).keys() & _attnames(model, names))


@cache
def patient_column(model: type[models.Model]) -> str | None:
    """The column that holds the id of the patient a row is about."""
    if model._meta.label_lower == "patients.patient":
        return "id"
    for field in model._meta.concrete_fields:
        if isinstance(field, models.ForeignKey) and field.related_model._meta.label_lower == "patients.patient":
            return field.attname
    return None


def patients_of(model: type[models.Model], values: Mapping[str, Any]) -> list[UUID]:
    column = patient_column(model)
    patient_id = values.get(column) if column else None
    return [patient_id] if patient_id else []


@cache
def _columns(model: type[models.Model]) -> dict[str, bool]:
    """attname -> whether its values stay out of the log, which only names it then: encrypted, secret or clinical ones,
    and what says who a patient is. The log outlives patients who are erased, and must know no more of them than ids.
    """
    clinical = getattr(model, "area", "") in CLINICAL_AREAS
    of_patients = any(each.model is model for each in belongings())
    return {
        field.attname: clinical or _is_secret(field) or (of_patients and not _says_nothing_of_a_person(field))
        for field in model._meta.concrete_fields
        if field.attname not in BOOKKEEPING
    }


def _says_nothing_of_a_person(field: "models.Field[Any, Any]") -> bool:
    return bool(field.choices) or isinstance(field, _IMPERSONAL)


def _is_secret(field: "models.Field[Any, Any]") -> bool:
    return isinstance(field, EncryptedTextField | BlindIndexField | models.BinaryField) or any(
        part in field.name for part in SECRET_NAMES
    )


def _attnames(model: type[models.Model], names: Iterable[str]) -> set[str]:
    wanted = set(names)
    return {field.attname for field in model._meta.concrete_fields if wanted & {field.name, field.attname}}
