"""The record of changes, played again: which rows a table must hold, and in which state."""

from typing import Any
from uuid import UUID

from django.db import connections, models

# The text of a row as audit_note_change() hashes it; a table whose columns changed since is a matter of its rows alone.
_DIFFERENCES = """
SELECT coalesce(r.id, noted.row_id),
    CASE WHEN noted.row_id IS NULL THEN 'not recorded' WHEN r.id IS NULL THEN 'missing' ELSE 'altered' END
FROM {table} AS r FULL JOIN (SELECT * FROM audit_replay(%s) WHERE operation <> 'D') AS noted ON noted.row_id = r.id
WHERE r.id IS NULL OR noted.row_id IS NULL
    OR noted.hash <> substr(sha256(convert_to(r::text, 'UTF8')), 1, 16)
ORDER BY 1
"""
_FORM = (
    "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres';"
    " SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1"
)


def differences(model: type[models.Model], *, using: str = "default") -> list[tuple[UUID, str]]:
    """Ids of the active practice's rows that aren't as the record leaves them, with what is wrong."""
    with connections[using].cursor() as cursor:
        cursor.execute(_FORM)
        cursor.execute(_DIFFERENCES.format(table=model._meta.db_table), [model._meta.label_lower])
        found: list[Any] = cursor.fetchall()
    return found
