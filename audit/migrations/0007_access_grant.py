from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def let_runtime_add(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """It adds events column by column."""
    role = editor.quote_name(settings.DATABASES["default"]["USER"])
    editor.execute(f"GRANT INSERT (access_grants) ON audit_auditevent TO {role}")


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0006_seals"),
        ("patients", "0007_access_grant"),  # recording an event looks for grants from here on
    ]

    operations = [
        migrations.AddField(
            model_name="auditevent",
            name="access_grants",
            field=ArrayField(
                base_field=models.UUIDField(),
                db_default=[],
                default=list,
                help_text="The break-glass grants that were open to the actor for these patients.",
                size=None,
            ),
        ),
        migrations.RunPython(let_runtime_add, migrations.RunPython.noop),
    ]
