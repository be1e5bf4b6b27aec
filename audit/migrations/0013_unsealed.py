from django.db import migrations

# What a seal takes of an event is `audit.content.SEALED_SQL`. `counted` is NULL where an event has no hash.
UNSEALED = """
CREATE FUNCTION audit_unsealed(leader bigint, entities text[], most integer)
RETURNS TABLE (leads boolean, horizon bigint, seq bigint, since bigint, until bigint, events integer, digest bytea,
    previous bytea, changes_digest bytea, counted integer, hashes bytea, changes bytea, unattributed boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    practice uuid := current_setting('app.practice_id')::uuid;
    last public.audit_seal;
    ends bigint;
BEGIN
    leads := pg_try_advisory_xact_lock(leader);
    IF leads THEN
        ends := public.audit_horizon();
        SELECT s.* INTO last FROM public.audit_seal AS s WHERE s.practice_id = practice ORDER BY s.seq DESC LIMIT 1;
        horizon := ends;
        seq := last.seq;
        since := last.since;
        until := last.until;
        events := last.count;
        digest := last.digest;
        previous := last.previous;
        changes_digest := last.changes_digest;
        IF last.changes_digest <> '' THEN
            SELECT count(*), coalesce(string_agg(e.taken, '' ORDER BY e.xid, e.id), '') INTO counted, hashes FROM (
                SELECT xid, id, CASE WHEN mac = '' OR cardinality(access_grants) = 0 THEN mac
                    ELSE substr(sha256(mac || convert_to(access_grants::text, 'UTF8')), 1, 16) END AS taken
                FROM public.audit_auditevent
                WHERE practice_id = practice AND xid >= last.until AND xid < ends LIMIT most) AS e;
            IF length(hashes) <> 16 * counted THEN
                counted := NULL;
            END IF;
            SELECT coalesce(string_agg(c.hash, '' ORDER BY c.xid, c.id), '') INTO changes
                FROM public.audit_changes_hashed(last.until, ends) AS c;
            unattributed := changes <> ''
                AND EXISTS (SELECT FROM public.audit_unattributed(last.until, ends, entities));
        END IF;
    END IF;
    RETURN NEXT;
END $$;
"""


class Migration(migrations.Migration):
    """All that the next seal of the active practice needs, in one round trip and from kept plans.

    Hashes only from the practice's second seal on: for the first, rows without one have to be read.
    """

    dependencies = [("audit", "0012_record")]

    operations = [migrations.RunSQL(UNSEALED, "DROP FUNCTION audit_unsealed(bigint, text[], integer)")]
