from django.db import migrations

# Nearly always all rows are of one practice, and grouping them would take longer than the rest. An upsert calls the
# triggers of both kinds, one of them without rows.
NOTE = """
CREATE OR REPLACE FUNCTION audit_note_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO'
    SET "IntervalStyle" = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1 AS $$
DECLARE
    practices uuid[];
    ids uuid[];
    hashed bytea[];
BEGIN
    SELECT ARRAY(SELECT r.practice_id FROM changed AS r), ARRAY(SELECT r.id FROM changed AS r),
        ARRAY(SELECT substr(sha256(convert_to(r::text, 'UTF8')), 1, 16) FROM changed AS r) INTO practices, ids, hashed;
    IF practices = '{}' THEN
        RETURN NULL;
    ELSIF practices[1] = ALL (practices) THEN
        INSERT INTO public.audit_change (practice_id, entity, operation, row_ids, hashes, user_id, request_id)
        VALUES (practices[1], TG_ARGV[0], left(TG_OP, 1)::"char", ids, hashed,
            nullif(current_setting('app.user_id', true), '')::uuid,
            coalesce(current_setting('app.request_id', true), ''));
    ELSE
        INSERT INTO public.audit_change (practice_id, entity, operation, row_ids, hashes, user_id, request_id)
        SELECT r.practice_id, TG_ARGV[0], left(TG_OP, 1)::"char", array_agg(r.id), array_agg(r.hash),
            nullif(current_setting('app.user_id', true), '')::uuid,
            coalesce(current_setting('app.request_id', true), '')
        FROM unnest(practices, ids, hashed) AS r (practice_id, id, hash) GROUP BY r.practice_id;
    END IF;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    """The same is noted of a change as before, with less work."""

    dependencies = [("audit", "0015_unused_key")]

    operations = [migrations.RunSQL(NOTE, migrations.RunSQL.noop)]
