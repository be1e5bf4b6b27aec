from django.db import migrations

NO_KEY = "ALTER TABLE audit_auditevent DROP CONSTRAINT audit_auditevent_practice_id_id"
KEY = "ALTER TABLE audit_auditevent ADD CONSTRAINT audit_auditevent_practice_id_id UNIQUE (practice_id, id)"


class Migration(migrations.Migration):
    """Other tables' keys would point at it. None does, and an event is looked up by its id alone."""

    dependencies = [("audit", "0014_cheaper_events")]

    operations = [migrations.RunSQL(NO_KEY, KEY)]
