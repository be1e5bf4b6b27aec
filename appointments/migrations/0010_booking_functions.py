from django.db import migrations

NAMED = """
CREATE FUNCTION appointments_named(
    of_practice uuid, of_patient uuid, of_type uuid, of_provider uuid, of_location uuid
) RETURNS TABLE (
    patient_id uuid, patient_practice uuid, mrn varchar, given_name varchar, family_name varchar,
    patient_time_zone varchar, deceased_at timestamptz, patient_status varchar, merged_into_id uuid,
    restricted boolean, erased_at timestamptz,
    type_id uuid, type_practice uuid, duration smallint, buffer_before smallint, buffer_after smallint,
    alignment smallint, max_attendees smallint, required_resource_kinds varchar[], type_active boolean,
    provider_id uuid, provider_practice uuid, membership_id uuid, display_name varchar, provider_active boolean,
    member_id uuid, member_practice uuid, user_id uuid,
    location_id uuid, location_practice uuid, location_time_zone varchar, location_active boolean,
    practice_id uuid, practice_time_zone varchar
) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT
        patient.id, patient.practice_id, patient.mrn, patient.given_name, patient.family_name,
        patient.time_zone, patient.deceased_at, patient.status, patient.merged_into_id,
        patient.restricted, patient.erased_at,
        kind.id, kind.practice_id, kind.duration, kind.buffer_before, kind.buffer_after,
        kind.alignment, kind.max_attendees, kind.required_resource_kinds, kind.active,
        provider.id, provider.practice_id, provider.membership_id, provider.display_name, provider.active,
        member.id, member.practice_id, member.user_id,
        location.id, location.practice_id, location.time_zone, location.active,
        practice.id, practice.time_zone
    FROM (SELECT of_practice AS id) AS asked
    LEFT JOIN patients_patient AS patient ON patient.practice_id = asked.id AND patient.id = of_patient
    LEFT JOIN appointments_appointmenttype AS kind ON kind.practice_id = asked.id AND kind.id = of_type
    LEFT JOIN accounts_providerprofile AS provider ON provider.practice_id = asked.id AND provider.id = of_provider
    LEFT JOIN accounts_membership AS member
        ON member.practice_id = asked.id AND member.id = provider.membership_id
    LEFT JOIN practices_location AS location ON location.practice_id = asked.id AND location.id = of_location
    LEFT JOIN practices_practice AS practice ON practice.id = location.practice_id;
END $$;
"""

TERMS = """
CREATE FUNCTION appointments_terms(
    of_practice uuid, of_provider uuid, of_location uuid, first_day date, last_day date
) RETURNS TABLE (
    min_notice_minutes integer, horizon_days integer, closures json,
    calendar_id uuid, practice_id uuid, kind varchar, name varchar, location_id uuid, provider_id uuid,
    capacity smallint, active boolean
) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT policy.min_notice_minutes, policy.horizon_days,
        (
            SELECT json_agg(json_build_array(
                closure.start_date, closure.end_date, closure.start_time, closure.end_time
            ))
            FROM practices_closure AS closure
            WHERE closure.practice_id = of_practice
                AND (closure.location_id = of_location OR closure.location_id IS NULL)
                AND closure.start_date <= last_day AND closure.end_date >= first_day
        ),
        calendar.id, calendar.practice_id, calendar.kind, calendar.name, calendar.location_id, calendar.provider_id,
        calendar.capacity, calendar.active
    FROM (SELECT of_practice AS id) AS asked
    LEFT JOIN practices_practicepolicy AS policy ON policy.practice_id = asked.id
    LEFT JOIN practices_resource AS calendar
        ON calendar.practice_id = asked.id AND calendar.provider_id = of_provider AND calendar.active;
END $$;
"""

TAKEN = """
CREATE FUNCTION appointments_taken(
    of_practice uuid, keys bigint[], resources uuid[], since timestamptz, until timestamptz, longest timestamptz,
    but uuid[], moment timestamptz
) RETURNS TABLE (
    resource_id uuid, lane smallint, "start" timestamptz, "end" timestamptz, appointment_id uuid, lapsed boolean
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(key) FROM unnest(keys) AS key;
    RETURN QUERY SELECT found.resource_id, found.lane, found."start", found."end", found.appointment_id,
        visit.status = 'pending' AND visit.hold_expires_at <= moment AND (shared.id IS NULL OR shared.taken = 1)
    FROM unnest(resources) AS wanted(id)
    CROSS JOIN LATERAL (
        SELECT * FROM appointments_resourceallocation AS allocation
        WHERE allocation.practice_id = of_practice AND allocation.resource_id = wanted.id AND allocation.blocking
            AND allocation."end" > since AND allocation."end" < longest AND allocation."start" < until
        OFFSET 0
    ) AS found
    JOIN appointments_appointment AS visit
        ON visit.practice_id = of_practice AND visit.id = found.appointment_id
    LEFT JOIN appointments_groupvisit AS shared
        ON shared.practice_id = of_practice AND shared.id = visit.group_id
    WHERE found.appointment_id <> ALL (but)
    ORDER BY found."start", found.id;
END $$;
"""


class Migration(migrations.Migration):
    """What a booking asks: what its ids name, what the practice says of the time, and what is taken then.

    Functions, because PostgreSQL keeps their plans with the connection; planning took most of the time of each question.
    They have the caller's rights, so row policies bind in them as outside. VOLATILE is what lets the last one see what was
    committed while it waited for its locks.
    """

    dependencies = [
        ("appointments", "0009_constraint_messages"),
        ("accounts", "0001_initial"),
        ("patients", "0008_restricted_patients"),
        ("practices", "0007_constraint_messages"),
    ]

    operations = [
        migrations.RunSQL(NAMED, "DROP FUNCTION appointments_named(uuid, uuid, uuid, uuid, uuid)"),
        migrations.RunSQL(TERMS, "DROP FUNCTION appointments_terms(uuid, uuid, uuid, date, date)"),
        migrations.RunSQL(
            TAKEN,
            "DROP FUNCTION appointments_taken("
            "uuid, bigint[], uuid[], timestamptz, timestamptz, timestamptz, uuid[], timestamptz)",
        ),
    ]
