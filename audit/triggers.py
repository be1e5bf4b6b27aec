"""The triggers that note every change of a tenant's row in `audit_change`, whoever makes it and however.

Installed after migrating, on every table of a TenantModel that lacks them or has others; so a new table gets its own.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connections, models

from audit.changes import BOOKKEEPING
from audit.clock import set_clock
from practices.models import Practice, TenantModel
from practices.tenancy import NO_CONTEXT, Actor, platform_scope, practice_scope

ACTOR = Actor.system("migrate")
BATCH = 2000
STAMPS = BOOKKEEPING & {"updated_at", "version", "last_used_at"}
"""A row in which nothing else moved was used, not changed."""

_FOUND = """
SELECT tgname, CASE WHEN pronamespace = 'public'::regnamespace THEN pg_get_triggerdef(t.oid) END, tgenabled
FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = tgfoid
WHERE tgrelid = %s::regclass AND tgname LIKE 'audit\\_%%'
"""
_SHAPE = """
SELECT sha256(convert_to(string_agg(attname || ' ' || format_type(atttypid, NULL), ',' ORDER BY attnum), 'UTF8'))
FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
_NOTED_SHAPE = """
SELECT hashes[1] FROM audit_change WHERE practice_id = %s AND entity = %s AND operation = 'B' ORDER BY id DESC LIMIT 1
"""
_BATCH = """
WITH present AS (
    SELECT id, substr(sha256(convert_to(r::text, 'UTF8')), 1, 16) AS hash FROM {table} AS r
    WHERE practice_id = %s AND id > %s ORDER BY id LIMIT %s FOR NO KEY UPDATE
), noted AS (
    INSERT INTO audit_change (practice_id, entity, operation, row_ids, hashes)
    SELECT %s, %s, 'B', array_agg(id), array_agg(hash) FROM present HAVING count(*) > 0
)
SELECT id FROM present ORDER BY id DESC LIMIT 1
"""


def noted_models() -> list[type[TenantModel]]:
    """All but the log itself, which is only ever added to and has its own proof."""
    return [model for model in apps.get_models() if issubclass(model, TenantModel) and model._meta.app_label != "audit"]


def audited_entities() -> list[str]:
    """Whose changes must be told by an event."""
    return [model._meta.label_lower for model in noted_models() if model.audited]


def statements(model: type[models.Model]) -> dict[str, str]:
    """Trigger name -> the SQL that makes it, to the letter as PostgreSQL tells it again."""
    meta = model._meta
    stamped = any(field.attname == "last_used_at" for field in meta.concrete_fields)
    update = (
        ("OLD TABLE AS replaced NEW TABLE AS changed", f"audit_note_touch('{meta.label_lower}', '{_stamps(model)}')")
        if stamped
        else ("NEW TABLE AS changed", f"audit_note_change('{meta.label_lower}')")
    )
    note = f"audit_note_change('{meta.label_lower}')"
    kinds = {"insert": ("NEW TABLE AS changed", note), "update": update, "delete": ("OLD TABLE AS changed", note)}
    return {
        f"audit_{kind}": f"CREATE TRIGGER audit_{kind} AFTER {kind.upper()} ON public.{meta.db_table}"
        f" REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION {function}"
        for kind, (tables, function) in kinds.items()
    }


def _stamps(model: type[models.Model]) -> str:
    return ",".join(sorted(STAMPS & {field.attname for field in model._meta.concrete_fields}))


def problems(using: str = "default") -> Iterator[tuple[str, str]]:
    """(table, trigger) for each that is missing, another than it should be, or switched off."""
    with connections[using].cursor() as cursor:
        for model in noted_models():
            found = _found(model, cursor)
            for name, sql in statements(model).items():
                if found.get(name) != (sql, "A"):
                    yield model._meta.db_table, name


def _found(model: type[models.Model], cursor: Any) -> dict[str, tuple[str, str]]:
    """Trigger name -> its definition, and how it is switched."""
    cursor.execute(_FOUND, [model._meta.db_table])
    return {name: (definition, enabled) for name, definition, enabled in cursor.fetchall()}


def install(using: str, **kwargs: Any) -> None:
    """Where they are missing or others, and a first record of the rows there are. Run by the owner's login only."""
    connection = connections[using]
    if using != "owner" or "audit_change" not in (tables := set(connection.introspection.table_names())):
        return
    set_clock(using)
    for model in noted_models():
        if model._meta.db_table in tables:
            _install_on(model, using)
            _note_present_rows(model, using)


def _install_on(model: type[TenantModel], using: str) -> None:
    """Each with ALWAYS, so that roles for replication don't pass by it."""
    table = model._meta.db_table
    with connections[using].cursor() as cursor:
        found = _found(model, cursor)
        for name, sql in statements(model).items():
            if name not in found or found[name][0] != sql:
                cursor.execute(sql.replace("CREATE", "CREATE OR REPLACE", 1))
            if found.get(name) != (sql, "A"):
                cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def _note_present_rows(model: type[TenantModel], using: str) -> None:
    """Once for each shape that a table has, in batches beside running writes: a new column is in every row's text."""
    entity, connection = model._meta.label_lower, connections[using]
    with connection.cursor() as cursor:
        cursor.execute(_SHAPE, [model._meta.db_table])
        (shape,) = cursor.fetchone()
        cursor.execute(_NOTED_SHAPE, [NO_CONTEXT, entity])
        if cursor.fetchone() == (shape,):
            return
    with platform_scope(actor=ACTOR, using=using):
        practices = list(Practice.objects.using(using).values_list("pk", flat=True))
    for practice_id in practices:
        last: UUID | None = UUID(int=0)
        while last is not None:
            with practice_scope(practice_id, actor=ACTOR, using=using), connection.cursor() as cursor:
                cursor.execute(
                    _BATCH.format(table=model._meta.db_table), [practice_id, last, BATCH, practice_id, entity]
                )
                row = cursor.fetchone()
            last = row[0] if row else None
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_change (practice_id, entity, operation, row_ids, hashes)"
            " VALUES (%s, %s, 'B', '{}', ARRAY[%s])",
            [NO_CONTEXT, entity, shape],
        )
