from typing import Any

from django.conf import settings
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

CLOCK = """
CREATE FUNCTION audit_transaction() RETURNS bigint LANGUAGE sql STABLE
    AS 'SELECT pg_current_xact_id()::text::bigint + 0';
CREATE FUNCTION audit_horizon() RETURNS bigint LANGUAGE sql STABLE
    AS 'SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + 0';
"""

CHANGES = """
CREATE TABLE audit_change (
    id bigint GENERATED ALWAYS AS IDENTITY,
    xid bigint NOT NULL DEFAULT audit_transaction(),
    at timestamptz NOT NULL DEFAULT now(),
    practice_id uuid NOT NULL,
    entity text NOT NULL,
    operation "char" NOT NULL CHECK (operation IN ('I', 'U', 'T', 'D', 'B')),
    row_ids uuid[] NOT NULL,
    hashes bytea[] NOT NULL,
    login name NOT NULL DEFAULT session_user,
    user_id uuid,
    request_id text NOT NULL DEFAULT ''
);
CREATE INDEX audit_change_by_transaction ON audit_change (practice_id, xid);
ALTER TABLE audit_change ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_change
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit_change
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
ALTER TABLE audit_change ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audit_change ENABLE ALWAYS TRIGGER append_only_truncate;
"""

# What a row's text looks like must not depend on who writes it.
FIXED = """LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC'
    SET "DateStyle" = 'ISO' SET "IntervalStyle" = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1"""

NOTE = f"""
CREATE FUNCTION audit_note_change() RETURNS trigger {FIXED} AS $$
BEGIN
    INSERT INTO public.audit_change (practice_id, entity, operation, row_ids, hashes, user_id, request_id)
    SELECT r.practice_id, TG_ARGV[0], left(TG_OP, 1)::"char", array_agg(r.id),
        array_agg(substr(sha256(convert_to(r::text, 'UTF8')), 1, 16)),
        nullif(current_setting('app.user_id', true), '')::uuid, coalesce(current_setting('app.request_id', true), '')
    FROM changed AS r GROUP BY r.practice_id;
    RETURN NULL;
END $$;
CREATE FUNCTION audit_note_touch() RETURNS trigger {FIXED} AS $$
BEGIN
    INSERT INTO public.audit_change (practice_id, entity, operation, row_ids, hashes, user_id, request_id)
    SELECT r.practice_id, TG_ARGV[0], r.operation, array_agg(r.id), array_agg(r.hash),
        nullif(current_setting('app.user_id', true), '')::uuid, coalesce(current_setting('app.request_id', true), '')
    FROM (
        SELECT n.practice_id, n.id, substr(sha256(convert_to(n::text, 'UTF8')), 1, 16) AS hash,
            CASE WHEN to_jsonb(n) - string_to_array(TG_ARGV[1], ',') = to_jsonb(o) - string_to_array(TG_ARGV[1], ',')
                THEN 'T' ELSE 'U' END::"char" AS operation
        FROM changed AS n LEFT JOIN replaced AS o USING (id)
    ) AS r GROUP BY r.practice_id, r.operation;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION audit_note_change(), audit_note_touch() FROM PUBLIC;
"""  # noqa: S608  # constant text

# The only ways to the record for the runtime login: each answers for the practice of the scope alone.
ASK = """
CREATE FUNCTION audit_unattributed(since bigint, until bigint, entities text[])
RETURNS TABLE (xid bigint, at timestamptz, entity text, operation "char", row_ids uuid[], login name,
    user_id uuid, request_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH changed AS (
        SELECT c.xid, min(c.at) AS at, c.entity, c.operation, r.id AS row_id, count(*) AS times, min(c.login::text) AS login,
            (array_agg(c.user_id))[1] AS user_id, min(c.request_id) AS request_id
        FROM public.audit_change AS c, unnest(c.row_ids) AS r(id)
        WHERE c.practice_id = (SELECT current_setting('app.practice_id', true)::uuid)
            AND c.xid >= since AND c.xid < until AND c.operation IN ('I', 'U', 'D') AND c.entity = ANY(entities)
        GROUP BY c.xid, c.entity, c.operation, r.id
    ), told AS (
        SELECT e.xid, e.entity, e.entity_id, e.action, count(*) AS times
        FROM public.audit_auditevent AS e
        WHERE e.practice_id = (SELECT current_setting('app.practice_id', true)::uuid)
            AND e.xid >= since AND e.xid < until AND e.action IN ('create', 'update', 'delete', 'reencrypt')
        GROUP BY e.xid, e.entity, e.entity_id, e.action
    )
    SELECT c.xid, min(c.at), c.entity, c.operation, array_agg(c.row_id ORDER BY c.row_id), min(c.login)::name,
        (array_agg(c.user_id))[1], min(c.request_id)
    FROM changed AS c LEFT JOIN told AS t ON t.xid = c.xid AND t.entity = c.entity AND t.entity_id = c.row_id
        AND t.action = CASE c.operation WHEN 'I' THEN 'create' WHEN 'U' THEN 'update' ELSE 'delete' END
    WHERE c.times > coalesce(t.times, 0) AND NOT (c.operation = 'U' AND EXISTS (
        SELECT FROM told WHERE told.xid = c.xid AND told.entity = c.entity AND told.action = 'reencrypt'))
    GROUP BY c.xid, c.entity, c.operation ORDER BY c.xid
$$;
CREATE FUNCTION audit_replay(wanted text)
RETURNS TABLE (row_id uuid, operation "char", hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT ON (r.id) r.id, c.operation, r.hash
    FROM public.audit_change AS c, unnest(c.row_ids, c.hashes) AS r(id, hash)
    WHERE c.practice_id = (SELECT current_setting('app.practice_id', true)::uuid) AND c.entity = wanted
    ORDER BY r.id, c.id DESC
$$;
CREATE FUNCTION audit_changed_between(since bigint, until bigint, entities text[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM public.audit_change AS c
        WHERE c.practice_id = (SELECT current_setting('app.practice_id', true)::uuid)
            AND c.xid >= since AND c.xid < until AND c.operation IN ('I', 'U', 'D') AND c.entity = ANY(entities))
$$;
"""

# A constant first, then what it should be: no row is rewritten. 0 marks what was there before.
TRANSACTION_OF_EVENTS = """
ALTER TABLE audit_auditevent ADD COLUMN xid bigint NOT NULL DEFAULT 0;
ALTER TABLE audit_auditevent ALTER COLUMN xid SET DEFAULT audit_transaction();
"""
FUNCTIONS = (
    "audit_changed_between(bigint, bigint, text[])",
    "audit_replay(text)",
    "audit_unattributed(bigint, bigint, text[])",
    "audit_note_touch()",
    "audit_note_change()",
)


def close_to_runtime(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """It adds events without saying in which transaction, and has no right to the record of changes at all."""
    role = editor.quote_name(settings.DATABASES["default"]["USER"])
    editor.execute(f"REVOKE ALL ON audit_change FROM {role}")
    editor.execute(f"REVOKE ALL ON SEQUENCE audit_change_id_seq FROM {role}")
    event: Any = apps.get_model("audit", "AuditEvent")
    columns = ", ".join(field.column for field in event._meta.concrete_fields)
    editor.execute(f"REVOKE INSERT ON audit_auditevent FROM {role}")
    editor.execute(f"GRANT INSERT ({columns}) ON audit_auditevent TO {role}")


def open_to_runtime(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    role = editor.quote_name(settings.DATABASES["default"]["USER"])
    editor.execute(f"GRANT INSERT ON audit_auditevent TO {role}")


class Migration(migrations.Migration):
    """The record that triggers keep of every changed row (audit/triggers.py installs them after migrating).

    Its table is the owner's alone: the triggers write it, and the functions read it, with the owner's rights. Row level
    security without a policy and without FORCE says the same a second time.
    """

    dependencies = [("audit", "0002_append_only")]

    operations = [
        migrations.RunSQL(CLOCK, "DROP FUNCTION audit_horizon(); DROP FUNCTION audit_transaction()"),
        migrations.RunSQL(CHANGES, "DROP TABLE audit_change"),
        migrations.RunSQL(TRANSACTION_OF_EVENTS, "ALTER TABLE audit_auditevent DROP COLUMN xid"),
        migrations.RunSQL(
            NOTE + ASK, "; ".join(f"DROP FUNCTION {signature} CASCADE" for signature in FUNCTIONS)
        ),
        migrations.RunPython(close_to_runtime, open_to_runtime),
    ]
