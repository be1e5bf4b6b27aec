"""Changes of rows that no event accounts for: found by comparing what triggers noted with what was told."""

from typing import Any
from uuid import UUID

import structlog
from django.apps import apps
from django.db import connection

from audit.changes import patient_column
from audit.models import AuditEvent
from audit.recording import record
from audit.triggers import audited_entities
from practices.tenancy import active_practice_id

logger = structlog.get_logger(__name__)
NAMED = 1000
"""Rows that one event names; of a larger statement it says the number only."""
VERBS = {"I": "insert", "U": "update", "D": "delete"}


def raise_unattributed(*, since: int, until: int) -> int:
    """Adds an event for each such transaction, table and operation to the active practice's log, and says how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT entity, operation, row_ids, login, user_id, request_id, xid FROM audit_unattributed(%s, %s, %s)",
            [since, until, audited_entities()],
        )
        found = cursor.fetchall()
    for row in found:
        _raise(*row)
    return len(found)


def _raise(
    entity: str, operation: str, row_ids: list[UUID], login: str, user_id: UUID, request_id: str, xid: int
) -> None:
    verb = VERBS[operation]
    logger.error(
        "audit_unattributed_change",
        practice_id=str(active_practice_id()),
        entity=entity,
        operation=verb,
        rows=len(row_ids),
        login=login,
    )
    named = [str(each) for each in row_ids[:NAMED]]
    record(
        AuditEvent.Action.UNATTRIBUTED,
        entity,
        row_ids[0] if len(row_ids) == 1 else None,
        patient_ids=_patients_of(entity, row_ids),
        changes={"rows": [None, named], "user_id": [None, str(user_id)], "request_id": [None, request_id]},
        reason=f"{len(row_ids)} x {verb} by the login {login} in transaction {xid}",
    )


def _patients_of(entity: str, row_ids: list[UUID]) -> list[UUID]:
    """As far as the rows are still there to ask."""
    model: Any = apps.get_model(entity)
    column = patient_column(model)
    if column is None:
        return []
    if column == "id":
        return row_ids
    found = model.objects.filter(pk__in=row_ids).values_list(column, flat=True).distinct()
    return [patient_id for patient_id in found if patient_id]
