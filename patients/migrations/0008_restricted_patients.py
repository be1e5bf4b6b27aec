from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """By itself and outside a transaction: the practices go on working while the index is built."""

    atomic = False

    dependencies = [
        ('patients', '0007_access_grant'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='patient',
            index=models.Index(condition=models.Q(('restricted', True)), fields=['practice', 'id'], name='patient_restricted'),
        ),
    ]
