"""Signals about tenants' rows that Django has none for. Receivers run inside the sender's transaction, unless said."""

from django.dispatch import Signal

bulk_created = Signal()
"""sender=model, instances: list of saved instances, using."""

bulk_updated = Signal()
"""sender=model, before, after: dict of id -> {attname: value} for the fields that an `update()` named, using."""

fields_reencrypted = Signal()
"""sender=model, using: an encrypted field of some rows was sealed anew; what they say is unchanged."""

rows_erased = Signal()
"""sender=model, ids, patient_ids, emptied: rows were deleted (None), or these columns of theirs emptied, and no copy of
what they held may be kept anywhere.
"""

practice_created = Signal()
"""sender=Practice, practice: sent inside the new practice's own scope, so that each app can add what it needs there."""

request_refused = Signal()
"""sender=TenantMiddleware, request, status: int, scope. Sent after the rollback, outside any scope."""
