"""Whether the database still guards the log as it was migrated to: triggers, functions, rights and policies."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import connections

from audit import functions, policies, triggers

APPEND_ONLY = (
    *("audit_auditevent", "audit_event_patient", "audit_platformauditevent", "audit_seal", "audit_platformseal"),
    "audit_change",
)

_GUARDS = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled = 'A' AND tgqual IS NULL"
_RIGHTS = """
SELECT privilege FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
WHERE has_table_privilege(%s, %s::regclass, privilege)
"""
_RECORD = "SELECT has_table_privilege(%s, 'audit_change', 'SELECT, INSERT')"
_XID = "SELECT has_column_privilege(%s, 'audit_auditevent', 'xid', 'INSERT, UPDATE')"
_PLATFORM_XID = "SELECT has_column_privilege(%s, 'audit_platformauditevent', 'xid', 'INSERT, UPDATE')"


def problems(using: str = "default") -> Iterator[str]:
    """What is not as it must be, one sentence each."""
    with connections[using].cursor() as cursor:
        yield from _triggers(using, cursor)
        yield from _rights(cursor)
    yield from policies.problems(using)
    yield from (f"the function {name} is not as migrated" for name in functions.changed(using))


def _triggers(using: str, cursor: Any) -> Iterator[str]:
    missing = list(triggers.problems(using))
    for table in APPEND_ONLY:
        cursor.execute(_GUARDS, [table])
        present = {name for (name,) in cursor.fetchall()}
        missing += [(table, name) for name in ("append_only", "append_only_truncate") if name not in present]
    yield from (f"{table}: the trigger {name} is missing, changed or switched off" for table, name in missing)


def _rights(cursor: Any) -> Iterator[str]:
    role = settings.DATABASES["default"]["USER"]
    for table in APPEND_ONLY:
        cursor.execute(_RIGHTS, [role, table])
        yield from (f"{table}: {role} has the right to {right}" for (right,) in cursor.fetchall())
    for question, said in (
        *((_RECORD, "audit_change"), (_XID, "audit_auditevent.xid"), (_PLATFORM_XID, "audit_platformauditevent.xid")),
    ):
        cursor.execute(question, [role])
        if cursor.fetchone() != (False,):
            yield f"{said}: {role} has a right to it"
