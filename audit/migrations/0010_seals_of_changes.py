from typing import Any

from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

import practices.models.base

ON_PLATFORM = "(SELECT current_setting('app.platform', true)) = 'on'"

# Which columns a line's hash covers is said one by one: a column that is added later must not change it.
CHANGES_HASHED = """
CREATE FUNCTION audit_changes_hashed(since bigint, until bigint) RETURNS TABLE (xid bigint, id bigint, hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC'
    SET "DateStyle" = 'ISO' SET bytea_output = 'hex' AS $$
    SELECT c.xid, c.id, substr(sha256(convert_to(ROW(c.id, c.xid, c.at, c.practice_id, c.entity, c.operation,
        c.row_ids, c.hashes, c.login, c.user_id, c.request_id)::text, 'UTF8')), 1, 16)
    FROM public.audit_change AS c
    WHERE c.practice_id = (SELECT current_setting('app.practice_id', true)::uuid) AND c.xid >= since AND c.xid < until
    ORDER BY c.xid, c.id
$$;
"""

# A constant first, then what it should be: no row is rewritten. 0 marks what was there before.
TRANSACTION_OF_EVENTS = """
ALTER TABLE audit_platformauditevent ADD COLUMN xid bigint NOT NULL DEFAULT 0;
ALTER TABLE audit_platformauditevent ALTER COLUMN xid SET DEFAULT audit_transaction();
"""

GUARD = f"""
ALTER TABLE audit_platformseal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_only ON audit_platformseal USING ({ON_PLATFORM}) WITH CHECK ({ON_PLATFORM});
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_platformseal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit_platformseal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
ALTER TABLE audit_platformseal ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audit_platformseal ENABLE ALWAYS TRIGGER append_only_truncate;
"""


def close_to_runtime(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """It adds events without saying in which transaction: nobody can write into a range that is sealed."""
    role = editor.quote_name(settings.DATABASES["default"]["USER"])
    event: Any = apps.get_model("audit", "PlatformAuditEvent")
    columns = ", ".join(field.column for field in event._meta.concrete_fields)
    editor.execute(f"REVOKE INSERT ON audit_platformauditevent FROM {role}")
    editor.execute(f"GRANT INSERT ({columns}) ON audit_platformauditevent TO {role}")
    editor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON audit_platformseal FROM {role}")


def open_to_runtime(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    role = editor.quote_name(settings.DATABASES["default"]["USER"])
    editor.execute(f"GRANT INSERT ON audit_platformauditevent TO {role}")


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0009_unused_function'),
    ]

    operations = [
        migrations.AddField(
            model_name='seal',
            name='changes_digest',
            field=models.BinaryField(db_default=b'', default=b'', help_text="The same of what the triggers noted of rows' changes."),
        ),
        migrations.AddField(
            model_name='seal',
            name='changes_marks',
            field=models.BinaryField(db_default=b'', default=b''),
        ),
        migrations.CreateModel(
            name='PlatformSeal',
            fields=[
                ('seq', models.BigIntegerField()),
                ('since', models.BigIntegerField()),
                ('until', models.BigIntegerField()),
                ('count', models.PositiveIntegerField()),
                ('digest', models.BinaryField(help_text="SHA-256 of the events' keyed hashes, in order.")),
                ('previous', models.BinaryField(help_text='The hash of the seal before.')),
                ('marks', models.BinaryField(help_text="The first bytes of each event's hash, to find which one is gone or new.")),
                ('changes_digest', models.BinaryField(db_default=b'', default=b'', help_text="The same of what the triggers noted of rows' changes.")),
                ('changes_marks', models.BinaryField(db_default=b'', default=b'')),
                ('signature', models.BinaryField()),
                ('at', models.DateTimeField()),
                ('id', models.UUIDField(default=practices.models.base.new_id, editable=False, primary_key=True, serialize=False)),
            ],
            options={
                'ordering': ['seq'],
                'constraints': [models.UniqueConstraint(fields=('seq',), name='platform_seal_seq_unique')],
            },
        ),
        migrations.RunSQL(CHANGES_HASHED, "DROP FUNCTION audit_changes_hashed(bigint, bigint)"),
        migrations.RunSQL(TRANSACTION_OF_EVENTS, "ALTER TABLE audit_platformauditevent DROP COLUMN xid"),
        migrations.RunSQL(GUARD, migrations.RunSQL.noop),
        migrations.RunPython(close_to_runtime, open_to_runtime),
    ]
