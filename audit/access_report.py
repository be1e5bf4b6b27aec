"""Who looked at a patient, for the patient: the log's events about them without what they changed."""

from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from audit.models import AuditEvent
from patients.record import CHUNK, Row, Table

COLUMNS = ("id", "at", "action", "actor_kind", "actor_id", "actor_label", "roles", "entity", "operation", "reason")


def access_report(people: Collection[UUID]) -> Iterator[Table]:
    yield "access-report", _events(people)


def _events(people: Collection[UUID]) -> Iterator[Row]:
    for patient_id in people:
        events: Any = AuditEvent.objects.about_patient(patient_id).order_by("id")
        for event in events.values(*COLUMNS).iterator(chunk_size=CHUNK):
            yield {"patient_id": patient_id, **event}
