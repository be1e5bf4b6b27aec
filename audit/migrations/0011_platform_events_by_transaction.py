from django.db import migrations


class Migration(migrations.Migration):
    """Apart from the one before, since an index made beside running writes can't be made in a transaction."""

    atomic = False

    dependencies = [("audit", "0010_seals_of_changes")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS platform_audit_by_transaction ON audit_platformauditevent (xid, id)",
            "DROP INDEX platform_audit_by_transaction",
        ),
    ]
