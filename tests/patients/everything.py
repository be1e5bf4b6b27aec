"""One row of every model that leads to a patient, found by introspection."""

from typing import Any

from patients.belongings import belongings, keys_of
from patients.models import Patient
from tests.rows import make_row


def one_of_each(patient: Patient) -> dict[Any, Any]:
    """Model -> its row, of this patient's; in the practice's scope."""
    made: dict[Any, Any] = {Patient: patient}
    for belonging in belongings()[1:]:
        keys = [key for key in keys_of(belonging.model) if key.related_model in made]
        optional = belonging.model._meta.label == "appointments.Appointment"  # a series, which comes with an index
        made[belonging.model] = make_row(
            belonging.model, **{key.name: made[key.related_model] for key in keys if not (optional and key.null)}
        )
    return made
