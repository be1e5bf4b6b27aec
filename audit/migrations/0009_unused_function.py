from django.db import migrations

DROPPED = "DROP FUNCTION audit_changed_between(bigint, bigint, text[])"


class Migration(migrations.Migration):
    """`audit_pending()` answers what it was for, in all practices at once."""

    dependencies = [("audit", "0008_sealed_until")]

    operations = [migrations.RunSQL(DROPPED, migrations.RunSQL.noop)]
