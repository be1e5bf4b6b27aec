from django.db import migrations

REACHED = """
CREATE FUNCTION integrations_reached(
    of_practice uuid, of_patient uuid, of_kind varchar, of_channel varchar
) RETURNS TABLE (channel varchar, contact_id uuid, address text) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT template.channel, contact.id, contact.value
    FROM integrations_messagetemplate AS template
    JOIN patients_contactpoint AS contact
        ON contact.practice_id = of_practice AND contact.patient_id = of_patient AND contact.use <> 'old'
        AND contact.kind = CASE template.channel WHEN 'email' THEN 'email' ELSE 'phone' END
    WHERE template.practice_id = of_practice AND template.kind = of_kind AND template.active
        AND (of_channel IS NULL OR template.channel = of_channel)
    ORDER BY template.channel, template.channel = 'sms' AND contact.use <> 'mobile', contact.rank, contact.id;
END $$;
"""

APPEND = """
CREATE FUNCTION integrations_append_events(
    of_practice uuid, counter_id uuid, ids uuid[], types text[], entity_ids uuid[], versions integer[]
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    WITH counter AS (
        INSERT INTO integrations_eventcounter AS present (id, practice_id, last_seq, created_at, updated_at)
        VALUES (counter_id, of_practice, cardinality(ids), clock_timestamp(), clock_timestamp())
        ON CONFLICT (practice_id) DO UPDATE
            SET last_seq = present.last_seq + excluded.last_seq, updated_at = excluded.updated_at
        RETURNING last_seq - cardinality(ids) AS before
    )
    INSERT INTO integrations_eventlog (id, practice_id, seq, type, entity_id, version, created_at, updated_at)
    SELECT event.id, of_practice, counter.before + event.position, event.type, event.entity_id, event.version,
        clock_timestamp(), clock_timestamp()
    FROM counter, unnest(ids, types, entity_ids, versions)
        WITH ORDINALITY AS event (id, type, entity_id, version, position);
END $$;
"""


class Migration(migrations.Migration):
    """Where a patient is reached, and noting what changed: what each booking asks and does.

    Functions, because PostgreSQL keeps their plans with the connection. They have the caller's rights, so row policies
    bind in them as outside.
    """

    dependencies = [("integrations", "0011_imports"), ("patients", "0002_contacts")]

    operations = [
        migrations.RunSQL(REACHED, "DROP FUNCTION integrations_reached(uuid, uuid, varchar, varchar)"),
        migrations.RunSQL(
            APPEND, "DROP FUNCTION integrations_append_events(uuid, uuid, uuid[], text[], uuid[], integer[])"
        ),
    ]
