from django.db import migrations


class Migration(migrations.Migration):
    """Apart from the one before, since an index made beside running writes can't be made in a transaction."""

    atomic = False

    dependencies = [("audit", "0003_row_changes")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_by_transaction ON audit_auditevent (practice_id, xid)",
            "DROP INDEX audit_by_transaction",
        ),
    ]
