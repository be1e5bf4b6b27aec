from django.db import migrations

REMINDER_RULES = """
CREATE FUNCTION appointments_reminder_rules(of_practice uuid, only_rule uuid) RETURNS TABLE (
    rule_id uuid, channel varchar, days_before smallint, minutes_before smallint, only_type uuid,
    quiet_from time, quiet_to time
) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT rule.id, rule.channel, rule.days_before, rule.minutes_before, kind.appointment_type_id,
        policy.quiet_hours_start, policy.quiet_hours_end
    FROM appointments_reminderrule AS rule
    LEFT JOIN appointments_reminderruletype AS kind ON kind.practice_id = of_practice AND kind.rule_id = rule.id
    LEFT JOIN practices_practicepolicy AS policy ON policy.practice_id = of_practice
    WHERE rule.practice_id = of_practice AND rule.active AND (only_rule IS NULL OR rule.id = only_rule)
    ORDER BY rule.id, kind.appointment_type_id;
END $$;
"""


class Migration(migrations.Migration):
    """Which reminders a visit gets: asked by every booking, so its plan is kept. It has the caller's rights."""

    dependencies = [("appointments", "0010_booking_functions"), ("practices", "0007_constraint_messages")]

    operations = [migrations.RunSQL(REMINDER_RULES, "DROP FUNCTION appointments_reminder_rules(uuid, uuid)")]
