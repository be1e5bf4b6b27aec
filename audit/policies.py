"""The row policies of all tables, as migrations make them and as they are."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connections

from practices.constraints import OwnRows
from practices.models import TenantModel

Policy = tuple[str, bool, bool, str | None, str | None]
"""Command as PostgreSQL's letter, whether it permits or restricts, whether it is everybody's, USING and WITH CHECK."""

# To the letter as PostgreSQL tells them again, line breaks aside.
_PRACTICE = "( SELECT (current_setting('app.practice_id'::text, true))::uuid AS current_setting)"
_USER = "( SELECT (current_setting('app.user_id'::text, true))::uuid AS current_setting)"
_ON_PLATFORM = "(( SELECT current_setting('app.platform'::text, true) AS current_setting) = 'on'::text)"
_OWN = f"(user_id = {_USER})"
_OWN_OR_PLATFORM = f"({_OWN} OR {_ON_PLATFORM})"
_VISIBLE = f"((id = {_PRACTICE}) OR {_ON_PLATFORM})"
_OF_MEMBER = (
    f"(id IN ( SELECT accounts_membership.practice_id FROM accounts_membership"  # noqa: S608  # compared, never run
    f" WHERE (accounts_membership.user_id = {_USER})))"
)
ALL, SELECT, INSERT, UPDATE = "*", "r", "a", "w"


def _permits(command: str, using: str | None, check: str | None) -> Policy:
    return command, True, True, using, check


_ISOLATION = _permits(ALL, f"(practice_id = {_PRACTICE})", f"(practice_id = {_PRACTICE})")
_OTHERS = {
    ("accounts_recoverycode", "own_rows"): _permits(ALL, _OWN_OR_PLATFORM, _OWN_OR_PLATFORM),
    ("accounts_totpdevice", "own_rows"): _permits(ALL, _OWN_OR_PLATFORM, _OWN_OR_PLATFORM),
    ("audit_event_patient", "practice_isolation"): _ISOLATION,
    ("audit_platformauditevent", "anybody_adds"): _permits(INSERT, None, "true"),
    ("audit_platformauditevent", "platform_reads"): _permits(SELECT, _ON_PLATFORM, None),
    ("audit_platformseal", "platform_only"): _permits(ALL, _ON_PLATFORM, _ON_PLATFORM),
    ("practices_practice", "practice_changed"): _permits(UPDATE, _VISIBLE, _VISIBLE),
    ("practices_practice", "practice_made"): _permits(INSERT, None, _ON_PLATFORM),
    ("practices_practice", "practice_of_member"): _permits(SELECT, _OF_MEMBER, None),
    ("practices_practice", "practice_visible"): _permits(SELECT, _VISIBLE, None),
}
"""Of what migrations say in SQL of their own."""
_PRESENT = """
SELECT polrelid::regclass::text, polname::text, polcmd::text, polpermissive, polroles = '{0}',
    pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
FROM pg_policy JOIN pg_class AS c ON c.oid = polrelid WHERE relnamespace = 'public'::regnamespace
"""
_NOT_FORCED = """
SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%s)
    AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY 1
"""


def problems(using: str) -> Iterator[str]:
    """Tables whose policies are not forced, and policies that are gone, new, or other than migrated in anything."""
    migrated, present = _migrated(), _present(using)
    with connections[using].cursor() as cursor:
        cursor.execute(_NOT_FORCED, [sorted({table for table, _ in migrated})])
        yield from (f"{table}: row level security is not forced" for (table,) in cursor.fetchall())
    for table, name in sorted(migrated.keys() | present.keys()):
        if migrated.get((table, name)) != present.get((table, name)):
            yield f"{table}: the policy {name} is not as migrated"


def _migrated() -> dict[tuple[str, str], Policy]:
    found = dict(_OTHERS)
    for model in apps.get_models():
        table = model._meta.db_table
        if issubclass(model, TenantModel):
            found[table, "practice_isolation"] = _ISOLATION
        if any(isinstance(each, OwnRows) for each in model._meta.constraints):
            found[table, "own_rows"] = _permits(SELECT, _OWN, None)
    return found


def _present(using: str) -> dict[tuple[str, str], Policy]:
    with connections[using].cursor() as cursor:
        cursor.execute(_PRESENT)
        return {(table, name): _policy(*rest) for table, name, *rest in cursor.fetchall()}


def _policy(command: str, permits: bool, everybody: bool, *expressions: Any) -> Policy:
    using, check = (each and " ".join(each.split()) for each in expressions)
    return command, permits, everybody, using, check
