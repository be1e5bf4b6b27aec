from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Built while the practices work: not in one transaction, and without a lock that keeps writers out."""

    atomic = False
    dependencies = [("patients", "0012_duplicate_candidates")]
    operations = [
        AddIndexConcurrently(
            "patient",
            models.Index(
                fields=["practice", "id"], include=["sort_name", "restricted", "erased_at"], name="patient_found"
            ),
        ),
    ]
