from uuid import UUID

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models, transaction

BATCH = 2000
FILL = """
WITH batch AS (
    SELECT id FROM patients_patientname WHERE practice_id = %s AND id > %s AND start = ''
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
), filled AS (
    UPDATE patients_patientname AS name SET start = '' FROM batch WHERE name.practice_id = %s AND name.id = batch.id
)
SELECT id FROM batch ORDER BY id DESC LIMIT 1
"""
"""The table's trigger fills in the rest. Whoever holds a row meanwhile changes it, which fills it as well."""


def fill(apps, schema_editor):
    """In batches beside running writes, in each practice's scope in turn: row policies bind the owner, too."""
    connection = schema_editor.connection
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.platform', 'on', true)")
        cursor.execute("SELECT id FROM practices_practice ORDER BY id")
        practices = [practice for (practice,) in cursor.fetchall()]
    for practice in practices:
        last = UUID(int=0)
        while last is not None:
            last = fill_batch(connection, practice, last)


def fill_batch(connection, practice, last):
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.practice_id', %s, true)", [str(practice)])
        cursor.execute(FILL, [practice, last, BATCH, practice])
        row = cursor.fetchone()
    return row[0] if row else None


class Migration(migrations.Migration):
    """Built while the practices work: not in one transaction, and without a lock that keeps writers out.

    At the end the table is vacuumed: its every row was written anew, and only pages known to hold nothing older are
    answered from the index alone.
    """

    atomic = False
    dependencies = [("patients", "0014_listed_words"), ("practices", "0007_constraint_messages")]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        AddIndexConcurrently(
            "patientname",
            models.Index(
                fields=["practice", "start", "sort_name", "patient"], include=["more_words"], name="patient_name_listed"
            ),
        ),
        migrations.RunSQL("VACUUM (ANALYZE) patients_patientname", migrations.RunSQL.noop),
    ]
