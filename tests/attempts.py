"""Counts of attempts in PostgreSQL, which are in no test's transaction."""

from django.db import connection


def forget_attempts() -> None:
    apart = connection.copy()
    with apart.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_attempt")
    apart.close()
