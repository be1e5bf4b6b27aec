"""Whether the database still guards the log as it was migrated to: triggers, functions, rights and policies."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import connections

from audit import triggers

APPEND_ONLY = (*("audit_auditevent", "audit_event_patient", "audit_platformauditevent", "audit_change", "audit_seal"),)
FORCED = ("audit_auditevent", "audit_event_patient", "audit_platformauditevent", "audit_seal")
MIGRATIONS = ("0002_append_only", "0003_row_changes", "0006_seals", "0008_sealed_until")

OFFSET = re.compile(r"\+ \d+$")
"""What audit/clock.py adds in a restored database."""

_GUARDS = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled = 'A' AND tgqual IS NULL"
_RIGHTS = """
SELECT privilege FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
WHERE has_table_privilege(%s, %s::regclass, privilege)
"""
_RECORD = "SELECT has_table_privilege(%s, 'audit_change', 'SELECT, INSERT')"
_XID = "SELECT has_column_privilege(%s, 'audit_auditevent', 'xid', 'INSERT, UPDATE')"
_FORCED = "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = %s::regclass"
_FUNCTIONS = (
    "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'audit\\_%%'"
)


def problems(using: str = "default") -> Iterator[str]:
    """What is not as it must be, one sentence each."""
    with connections[using].cursor() as cursor:
        yield from _triggers(using, cursor)
        yield from _rights(cursor)
        yield from _functions(cursor)


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
    for question, said in ((_RECORD, "audit_change"), (_XID, "audit_auditevent.xid")):
        cursor.execute(question, [role])
        if cursor.fetchone() != (False,):
            yield f"{said}: {role} has a right to it"
    for table in FORCED:
        cursor.execute(_FORCED, [table])
        if cursor.fetchone() != (True,):
            yield f"{table}: row level security is not forced"


def _functions(cursor: Any) -> Iterator[str]:
    cursor.execute(_FUNCTIONS)
    written = _migrated()
    for name, body in cursor.fetchall():
        if OFFSET.sub("+ 0", body) not in written:
            yield f"the function {name} is not as migrated"


def _migrated() -> str:
    """The text of the migrations' SQL, which holds every function's body."""
    modules = [import_module(f"audit.migrations.{name}") for name in MIGRATIONS]
    return "\n".join(each for module in modules for each in vars(module).values() if isinstance(each, str))
