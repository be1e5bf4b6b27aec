"""What was done with patients' data. Receivers run inside the sender's transaction."""

from django.dispatch import Signal

patient_data_read = Signal()
"""sender=the model whose rows were shown, patient_ids: of whom they are about (UUID, or text as PostgreSQL writes it;
repeats allowed).
"""

access_granted = Signal()
"""sender=AccessGrant, grant: somebody was let into a restricted chart."""

patient_died = Signal()
"""sender=Patient, patient: it was noted that they have died."""

patient_erased = Signal()
"""sender=Patient, patient_ids: about to be erased, in this transaction; see to what lies outside their rows."""

patient_data_exported = Signal()
"""sender=the copy's model, patient_ids (UUID): a copy of all about them was made, or is fetched."""
