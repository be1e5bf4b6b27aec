from django.db import migrations

# Whatever is done to a chart while a grant of break-glass is open carries the grant: the database looks for it.
RECORD = """
CREATE FUNCTION audit_record(events jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.audit_auditevent (id, practice_id, at, actor_kind, actor_id, actor_label, roles, action, entity,
        entity_id, patient_ids, changes, request_id, ip, operation, reason, status, mac, access_grants)
    SELECT e.id, e.practice_id, e.at, e.actor_kind, e.actor_id, e.actor_label, e.roles, e.action, e.entity,
        e.entity_id, e.patient_ids, e.changes, e.request_id, e.ip, e.operation, e.reason, e.status, decode(e.mac, 'hex'),
        ARRAY(SELECT given.id FROM public.patients_accessgrant AS given
            WHERE given.practice_id = e.practice_id AND given.user_id = e.actor_id
                AND given.expires_at > e.at AND given.patient_id = ANY (e.patient_ids))
    FROM jsonb_to_recordset(events) AS e (id uuid, practice_id uuid, at timestamptz, actor_kind text, actor_id uuid,
        actor_label text, roles text[], action text, entity text, entity_id uuid, patient_ids uuid[], changes jsonb,
        request_id text, ip inet, operation text, reason text, status smallint, mac text);
END $$;
CREATE FUNCTION audit_record_of_platform(events jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.audit_platformauditevent (id, practice_id, at, actor_kind, actor_id, actor_label, roles, action,
        entity, entity_id, patient_ids, changes, request_id, ip, operation, reason, status)
    SELECT e.*
    FROM jsonb_to_recordset(events) AS e (id uuid, practice_id uuid, at timestamptz, actor_kind text, actor_id uuid,
        actor_label text, roles text[], action text, entity text, entity_id uuid, patient_ids uuid[], changes jsonb,
        request_id text, ip inet, operation text, reason text, status smallint);
END $$;
"""


class Migration(migrations.Migration):
    """How events are written: in functions PostgreSQL plans it once a connection, with any pooler."""

    dependencies = [("audit", "0011_platform_events_by_transaction"), ("patients", "0007_access_grant")]

    operations = [
        migrations.RunSQL(RECORD, "DROP FUNCTION audit_record(jsonb); DROP FUNCTION audit_record_of_platform(jsonb)")
    ]
