"""Asking the database's own functions: PostgreSQL keeps their plans with the connection, whoever's turn it is."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from practices.tenancy import active_practice_id


def ask(function: str, *values: Any) -> Sequence[Sequence[Any]]:
    """The rows that `name(%s, ...)` gives for the active practice, which is its first argument.

    Raises NoActivePractice. The functions have the caller's rights, so that row policies bind in them as outside.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {function}", (active_practice_id(), *values))  # noqa: S608  # constant text
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
        return rows
