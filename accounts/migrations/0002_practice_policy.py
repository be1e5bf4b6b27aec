from django.db import migrations

VISIBLE = """(
    id = (SELECT current_setting('app.practice_id', true)::uuid)
    OR (SELECT current_setting('app.platform', true)) = 'on'
)"""


class Migration(migrations.Migration):
    """A practice is seen by its own scope, by its members (to choose one at login) and by the platform."""

    dependencies = [("accounts", "0001_initial"), ("practices", "0001_initial")]

    operations = [
        migrations.RunSQL(
            [
                "ALTER TABLE practices_practice ENABLE ROW LEVEL SECURITY",
                "ALTER TABLE practices_practice FORCE ROW LEVEL SECURITY",
                f"CREATE POLICY practice_visible ON practices_practice FOR SELECT USING {VISIBLE}",
                f"CREATE POLICY practice_changed ON practices_practice FOR UPDATE USING {VISIBLE} WITH CHECK {VISIBLE}",
                "CREATE POLICY practice_made ON practices_practice FOR INSERT"
                " WITH CHECK ((SELECT current_setting('app.platform', true)) = 'on')",
                "CREATE POLICY practice_of_member ON practices_practice FOR SELECT USING (id IN"
                " (SELECT practice_id FROM accounts_membership"
                " WHERE user_id = (SELECT current_setting('app.user_id', true)::uuid)))",
            ],
            [
                "DROP POLICY practice_visible ON practices_practice",
                "DROP POLICY practice_changed ON practices_practice",
                "DROP POLICY practice_made ON practices_practice",
                "DROP POLICY practice_of_member ON practices_practice",
                "ALTER TABLE practices_practice NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY",
            ],
        ),
    ]
