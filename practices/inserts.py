"""Several new rows at once: each model's INSERT is composed once, and all are one statement, whose plan is kept."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connection, models
from django.db.models.signals import post_save

from practices.models.base import TenantModel


def insert(rows: Sequence[TenantModel]) -> None:
    """Saves new rows, and announces each, in this order, as its `save` would; for models whose `save` does no more.

    They may refer to each other, since keys are checked later. Raises ScopeError, and IntegrityError as `save` does.
    """
    for row in rows:
        row.refuse_other_practice()
    given = [_given(row) for row in rows]
    sql = _together([_statement(type(row), tuple(values)) for row, values in zip(rows, given, strict=True)])
    with connection.cursor() as cursor:
        cursor.execute(sql, [value for values in given for value in values.values()])
    for row in rows:
        row.note_inserted(connection.alias)
        post_save.send(type(row), instance=row, created=True, update_fields=None, raw=False, using=connection.alias)


def _together(statements: Sequence[str]) -> str:
    *others, last = statements
    parts = ", ".join(f"row{number} AS ({each})" for number, each in enumerate(others))
    return f"WITH {parts} {last}" if parts else last


@cache
def _statement(model: type[models.Model], columns: Sequence[str]) -> str:
    """Raises TypeError for a model with a column that Django would write otherwise than as one value."""
    if any(hasattr(field, "get_placeholder") for field in model._meta.concrete_fields):
        raise TypeError(f"{model.__name__} has a column that needs more than its value.")
    quoted = connection.ops.quote_name
    names, values = ", ".join(map(quoted, columns)), ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {quoted(model._meta.db_table)} ({names}) VALUES ({values})"  # noqa: S608  # names of ours


def _given(row: models.Model) -> dict[str, Any]:
    """By column what is to be written, without what is NULL anyway: psycopg keeps no text with over 50 parameters."""
    values: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        value = field.get_db_prep_save(field.pre_save(row, True), connection)
        if value is not None or field.has_db_default():
            values[str(field.column)] = value
    return values
