"""Transactions are numbered for a whole cluster, so a test in another process holds seals back, too."""

import time

from django.db import connection

NOBODY_ELSE = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
"""In place of `sealing.HORIZON`, for tests in which nothing else writes in this database."""


def settle() -> None:
    """Waits until all transactions that run now have ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        (now,) = cursor.fetchone()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > %s", [now])
            if cursor.fetchone() == (True,):
                return
            time.sleep(0.02)
    raise TimeoutError
