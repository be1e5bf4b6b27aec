import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """What an event need not pay: a lock of its practice's row, and an index entry by a row where it names none.

    Beside running writes, so not in a transaction. Until the new index is there, rows are looked up without one.
    """

    atomic = False

    dependencies = [("audit", "0013_unsealed"), ("practices", "0007_constraint_messages")]

    operations = [
        migrations.AlterField(
            model_name="auditevent",
            name="practice",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="practices.practice",
            ),
        ),
        RemoveIndexConcurrently(model_name="auditevent", name="audit_by_row"),
        AddIndexConcurrently(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("entity_id__isnull", False)),
                fields=["practice", "entity_id", "at", "id"],
                name="audit_by_row",
            ),
        ),
    ]
