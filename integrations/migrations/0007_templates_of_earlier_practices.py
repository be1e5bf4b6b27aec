"""Reminders and offers were invented after the first practices were opened: without wording none is ever sent."""

from django.db import migrations

NOBODY = "00000000-0000-0000-0000-000000000000"
WHEN = "{{ start_date }} at {{ start_time }}"
WORDING = (
    (
        "appointment-reminder",
        "email",
        "Reminder: your appointment at {{ practice_name }}",
        "Hello {{ patient_given_name }},\n\n"
        f"this is a reminder of your appointment at {{{{ practice_name }}}}, {{{{ location_name }}}}, on {WHEN}.\n\n"
        "If you can't come, please let us know.\n",
    ),
    ("appointment-reminder", "sms", "", f"{{{{ practice_name }}}}: reminder of your appointment on {WHEN}."),
    (
        "waitlist-offer",
        "email",
        "An earlier time at {{ practice_name }}",
        "Hello {{ patient_given_name }},\n\n"
        f"a time has become free at {{{{ practice_name }}}}, {{{{ location_name }}}}: {WHEN}.\n\n"
        "We keep it for you for a short while. Please call us if you would like to have it.\n",
    ),
    (
        "waitlist-offer",
        "sms",
        "",
        f"{{{{ practice_name }}}}: {WHEN} has become free. Call us soon if you would like to have it.",
    ),
)


def add_missing(apps, schema_editor):
    """In each practice's scope in turn: row policies bind the owner, too. What a practice has, it keeps."""
    template = apps.get_model("integrations", "MessageTemplate")
    alias = schema_editor.connection.alias
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.platform', 'on', true)")
        cursor.execute("SELECT id FROM practices_practice ORDER BY id")
        for (practice,) in cursor.fetchall():
            cursor.execute("SELECT set_config('app.practice_id', %s, true)", [str(practice)])
            template._base_manager.using(alias).bulk_create(
                [
                    template(practice_id=practice, kind=kind, channel=channel, subject=subject, body=body)
                    for kind, channel, subject, body in WORDING
                ],
                ignore_conflicts=True,
            )
        cursor.execute("SELECT set_config('app.platform', '', true), set_config('app.practice_id', %s, true)", [NOBODY])


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0006_offer_messages'),
    ]

    operations = [
        migrations.RunPython(add_missing, migrations.RunPython.noop),
    ]
