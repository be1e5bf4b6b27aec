"""Writing and reading the practice's events. Both need an open scope."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections

from integrations.events.querysets import hears_of_restricted, subjects_heard_by
from integrations.models import EventCounter, EventLog
from patients.models import Patient
from practices.models import new_id
from practices.tenancy import Actor


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be logged: `type` is `<subject>.<created|updated|deleted>`; a version of None is still to be found."""

    type: str
    entity_id: UUID
    version: int | None

    @property
    def subject(self) -> str:
        return self.type.partition(".")[0]

    @property
    def verb(self) -> str:
        return self.type.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Event:
    """A logged change. `restricted`: it is about a patient who is hidden from most."""

    seq: int
    type: str
    entity_id: UUID
    version: int
    at: datetime
    restricted: bool

    def visible_to(self, roles: Collection[str]) -> bool:
        """The same as `EventLog.objects.heard_by(actor)`, for an event in memory, but for `hides_from`."""
        return self.type.partition(".")[0] in subjects_heard_by(roles)

    def hides_from(self, roles: Collection[str]) -> bool:
        """Whether these roles alone don't lead to the patient it is about; somebody may have been let in."""
        return self.restricted and not hears_of_restricted(roles)

    def payload(self) -> dict[str, object]:
        """As the contract has it: ids only."""
        return {"seq": self.seq, "type": self.type, "id": self.entity_id, "version": self.version, "at": self.at}


_APPEND = """
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
SELECT integrations_append_events(%s, %s, %s::uuid[], %s::text[], %s::uuid[], %s::int[])
"""
"""Deferred keys are checked first: they may wait for rows of another transaction while that waits for our counter."""


def append(practice_id: UUID, changes: Sequence[Change], *, using: str = "default") -> None:
    """Numbers and writes the changes, together with the end of the transaction: others of this practice wait for it."""
    connection: Any = connections[using]
    connection.end_with(
        _APPEND,
        (
            practice_id,
            new_id(),
            [new_id() for _ in changes],
            [change.type for change in changes],
            [change.entity_id for change in changes],
            [change.version for change in changes],
        ),
    )


def last_seq() -> int:
    """The number of the practice's newest event; 0 before its first."""
    return EventCounter.objects.values_list("last_seq", flat=True).first() or 0


def is_let_in(event: Event, actor: Actor) -> bool:
    """Whether the actor may see the restricted patient that the event is about. One query."""
    return bool(Patient.objects.visible_to(actor).filter(pk=event.entity_id).exists())


def read(*, after: int, limit: int) -> list[Event]:
    """Up to `limit` events with higher numbers, in order. One query."""
    rows = EventLog.objects.filter(seq__gt=after).order_by("seq").with_restricted()[:limit]
    columns = ("seq", "type", "entity_id", "version", "created_at", "restricted")
    return [Event(*row) for row in rows.values_list(*columns)]
