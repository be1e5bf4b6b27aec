from django.db import migrations


class Migration(migrations.Migration):
    """Counts of attempts while Redis is away (config.api.attempts), by a hash of whom they are counted for.

    Of no practice, and worth nothing after a crash: it needs neither row policies nor the write-ahead log.
    """

    dependencies = [
        ('accounts', '0008_api_key'),
    ]

    operations = [
        migrations.RunSQL(
            """
            CREATE UNLOGGED TABLE accounts_attempt (
              key text PRIMARY KEY, ends_at bigint NOT NULL, count integer NOT NULL);
            CREATE INDEX accounts_attempt_ends_at ON accounts_attempt (ends_at);
            """,
            "DROP TABLE accounts_attempt;",
        ),
    ]
