"""Nobody reaches another practice's rows: every tenant model, asked in raw SQL as the login that the application uses.

Models are found by introspection. What the ORM can't reach is left to the database's own catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, models, transaction

from practices.constraints import OwnRows
from practices.models import Practice, TenantModel
from practices.tenancy import NoActivePractice, ScopeError, platform_scope, practice_scope
from tests.rows import SETUP, make_row, own_models, tenant_models

MODELS = tenant_models()
LABELS = [model._meta.label for model in MODELS]
TENANTS = pytest.mark.parametrize("model", MODELS, ids=LABELS)
# Tables of Django and of the job queue: they hold no practice's data but ids.
FOREIGN_PREFIXES = ("django_", "auth_", "procrastinate_")
# Without a model: tests/audit holds the one to the same walls, and the runtime login has no right to the other.
INDEX_TABLES = {"audit_event_patient", "audit_change", "accounts_attempt"}


def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def affected(sql: str, *parameters: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


@pytest.fixture
def two(db: None) -> tuple[Practice, Practice]:
    with platform_scope(actor=SETUP):
        return (
            Practice.objects.create(slug="ours", name="Ours", time_zone="UTC"),
            Practice.objects.create(slug="theirs", name="Theirs", time_zone="UTC"),
        )


@pytest.fixture
def theirs(two: tuple[Practice, Practice], model: type[TenantModel]) -> TenantModel:
    """A row of the other practice."""
    with practice_scope(two[1], actor=SETUP):
        row: TenantModel = make_row(model)
    return row


@pytest.fixture
def in_ours(two: tuple[Practice, Practice], theirs: TenantModel) -> Iterator[Practice]:
    with practice_scope(two[0], actor=SETUP):
        yield two[0]


# --- The catalogue ------------------------------------------------------------------------------


def test_application_login_can_not_bypass_the_policies(db: None) -> None:
    [login] = rows("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user")
    assert login == (False, False, False)
    assert (
        rows("SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = current_user") == []
    )
    assert rows("SELECT tablename FROM pg_tables WHERE tableowner = current_user") == []


def test_every_table_is_a_tenants_or_declared_global(db: None) -> None:
    known = INDEX_TABLES | {model._meta.db_table for model in own_models()}
    unknown = [
        name
        for (name,) in rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        if name not in known and not name.startswith(FOREIGN_PREFIXES)
    ]
    assert unknown == []
    assert {model._meta.label for model in own_models()} - set(LABELS) == set(settings.GLOBAL_MODELS)


@TENANTS
def test_table_forces_its_policy_with_check(db: None, model: type[TenantModel]) -> None:
    table = model._meta.db_table
    assert rows("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = %s", table) == [(True, True)]
    policies = rows(
        "SELECT policyname, permissive, roles::text, cmd, qual, with_check FROM pg_policies WHERE tablename = %s", table
    )
    own = {"own_rows"} if any(isinstance(each, OwnRows) for each in model._meta.constraints) else set()
    assert {policy[0] for policy in policies} == {"practice_isolation"} | own
    [isolation] = [policy for policy in policies if policy[0] == "practice_isolation"]
    assert isolation[1:4] == ("PERMISSIVE", "{public}", "ALL")
    assert "practice_id = ( SELECT (current_setting('app.practice_id'::text, true))::uuid" in isolation[4]
    assert isolation[4] == isolation[5]


@TENANTS
def test_keys_and_uniques_carry_the_practice(db: None, model: type[TenantModel]) -> None:
    tables = [each._meta.db_table for each in MODELS]
    keys = rows(
        """SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass
        AND confrelid::regclass::text = ANY(%s)
        AND NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]
                        AND attname = 'practice_id')""",
        model._meta.db_table,
        tables,
    )
    uniques = rows(
        """SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass AND indisunique
        AND NOT indisprimary AND NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = indrelid
                                             AND attnum = indkey[0] AND attname = 'practice_id')""",
        model._meta.db_table,
    )
    assert (keys, uniques) == ([], [])


@TENANTS
def test_every_key_to_a_tenant_is_in_the_database(db: None, model: type[TenantModel]) -> None:
    expected = {
        field.column
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and issubclass(field.related_model, TenantModel)
    }
    found = {
        column
        for (column,) in rows(
            """SELECT attname FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[2]
            WHERE contype = 'f' AND conrelid = %s::regclass AND convalidated AND array_length(conkey, 1) = 2""",
            model._meta.db_table,
        )
    }
    assert found == expected


# --- The first wall -------------------------------------------------------------------------------


@TENANTS
def test_without_a_scope_the_manager_and_save_raise(theirs: TenantModel, model: type[TenantModel]) -> None:
    with pytest.raises(NoActivePractice):
        list(model._default_manager.all())
    with pytest.raises((NoActivePractice, ScopeError, TypeError)):
        theirs.save()
    with pytest.raises((NoActivePractice, ScopeError, TypeError)):
        theirs.delete()


# --- The second wall, in raw SQL ------------------------------------------------------------------


@TENANTS
def test_without_a_scope_raw_sql_sees_and_changes_nothing(theirs: TenantModel, model: type[TenantModel]) -> None:
    table = model._meta.db_table
    assert rows(f"SELECT count(*) FROM {table}") == [(0,)]
    assert _refused_or_nothing(f"UPDATE {table} SET updated_at = now()") == 0
    assert _refused_or_nothing(f"DELETE FROM {table}") == 0


@TENANTS
def test_in_our_scope_raw_sql_neither_reads_nor_writes_theirs(
    in_ours: Practice, theirs: TenantModel, model: type[TenantModel]
) -> None:
    table = model._meta.db_table
    assert rows(f"SELECT count(*) FROM {table} WHERE practice_id <> %s", in_ours.pk) == [(0,)]
    assert rows(f"SELECT count(*) FROM {table} WHERE id = %s", theirs.pk) == [(0,)]
    assert _refused_or_nothing(f"UPDATE {table} SET updated_at = now() WHERE id = %s", theirs.pk) == 0
    assert _refused_or_nothing(f"DELETE FROM {table} WHERE id = %s", theirs.pk) == 0


@TENANTS
def test_in_our_scope_a_row_can_not_be_put_into_theirs(
    in_ours: Practice, theirs: TenantModel, model: type[TenantModel]
) -> None:
    table = model._meta.db_table
    mine = make_row(model)
    with pytest.raises(DatabaseError), transaction.atomic():
        affected(f"UPDATE {table} SET practice_id = %s WHERE id = %s", theirs.practice_id, mine.pk)
    columns = ", ".join(
        str(field.column) for field in model._meta.concrete_fields if field.column not in {"id", "practice_id"}
    )
    with pytest.raises(DatabaseError), transaction.atomic():
        affected(
            f"INSERT INTO {table} (id, practice_id, {columns})"
            f" SELECT gen_random_uuid(), %s, {columns} FROM {table} WHERE id = %s",
            theirs.practice_id,
            mine.pk,
        )


# --- The third wall -------------------------------------------------------------------------------

KEYS = [
    (model, field)
    for model in MODELS
    for field in model._meta.concrete_fields
    if isinstance(field, models.ForeignKey) and issubclass(field.related_model, TenantModel)
]


@pytest.mark.parametrize(("model", "field"), KEYS, ids=[f"{m._meta.label}.{f.name}" for m, f in KEYS])
def test_in_our_scope_a_row_can_not_refer_to_theirs(
    two: tuple[Practice, Practice], model: type[TenantModel], field: models.ForeignKey[Any, Any]
) -> None:
    with practice_scope(two[1], actor=SETUP):
        target = make_row(field.related_model)
    with practice_scope(two[0], actor=SETUP):
        mine = make_row(model)
        with pytest.raises(DatabaseError), transaction.atomic():
            affected(f'UPDATE {model._meta.db_table} SET "{field.column}" = %s WHERE id = %s', target.pk, mine.pk)
            connection.check_constraints()


def _refused_or_nothing(sql: str, *parameters: Any) -> int:
    """Rows affected; 0 when an append-only table refuses the statement as such."""
    try:
        with transaction.atomic():
            return affected(sql, *parameters)
    except DatabaseError:
        return 0
