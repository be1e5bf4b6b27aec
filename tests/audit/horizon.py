"""Transactions are numbered for a whole cluster, so a test in another process holds seals back, too."""

import time

import pytest
from django.db import connection, connections

from audit import sealing

NOBODY_ELSE = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


def overlook_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which nothing else writes in this database: seals reach up to now, whatever runs in others."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('audit_unsealed'::regproc)")
        (migrated,) = cursor.fetchone()
        assert "public.audit_horizon()" in migrated
        made = migrated.replace("audit_unsealed(", "unsealed_here(", 1)
        cursor.execute(made.replace("public.audit_horizon()", f"({NOBODY_ELSE})"))
        cursor.execute("GRANT EXECUTE ON FUNCTION unsealed_here TO PUBLIC")
    monkeypatch.setattr(sealing, "HORIZON", NOBODY_ELSE)
    monkeypatch.setattr(sealing, "_UNSEALED", sealing._UNSEALED.replace("audit_unsealed(", "unsealed_here("))
    waits = sealing._PLATFORM_WAITS.replace("audit_horizon()", f"({NOBODY_ELSE})")
    monkeypatch.setattr(sealing, "_PLATFORM_WAITS", waits)


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
