"""Events of a transaction are kept in memory and written by one INSERT just before it commits.

What a savepoint undid is left out, and an event that can't be written undoes what it tells of.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connections, transaction
from django.utils import timezone

from audit.content import content, mac
from practices.models import new_id
from practices.tenancy import Actor, Scope, current_scope, practice_scope

MAX_WAITING = 2000
"""Events in memory before some are written early, still inside the transaction."""

_INTO_PRACTICE = "SELECT audit_record(%s::jsonb)"
_KNOWN = "SELECT id FROM practices_practice WHERE id = %s"
_INTO_PLATFORM = "SELECT audit_record_of_platform(%s::jsonb)"

Event = dict[str, Any]


class NoActor(RuntimeError):
    """Something audited was written while nobody is known to act, so no event could say who did it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: open a scope of practices.tenancy that names an actor around this.")


class NoSuchPractice(LookupError):
    """Somebody named a practice, in a token or a key, that isn't there."""


@dataclass(eq=False, slots=True)
class _Mark:
    """Stands among the connection's on-commit callbacks, where Django drops it when its savepoint is rolled back."""

    def __call__(self) -> None:
        """Nothing: only whether it is still there matters."""


@dataclass(slots=True)
class _Buffer:
    """A scope's events not written yet, each with the mark of the savepoints it happened in."""

    waiting: list[tuple[_Mark | None, Event]] = field(default_factory=list)
    marks: dict[tuple[str, ...], _Mark] = field(default_factory=dict)
    seen: dict[str, dict[str, None]] = field(default_factory=dict)
    """entity -> ids of the patients whose data was read, in order."""

    def __call__(self, scope: Scope) -> None:
        if self.seen:
            self.waiting += [(None, event) for event in self.read_events(scope)]
        self.write(scope)

    def read_events(self, scope: Scope) -> list[Event]:
        """One for all that the scope showed, or none."""
        if not self.seen:
            return []
        seen, self.seen = self.seen, {}
        if len(seen) == 1:
            ((entity, patients),) = seen.items()
        else:
            entity, patients = "patients.patient", {patient: None for ids in seen.values() for patient in ids}
        return [_event(scope, "read", entity, None, patient_ids=patients)]

    def add(self, scope: Scope, event: Event) -> None:
        self.waiting.append((self._mark(scope), event))
        if len(self.waiting) >= MAX_WAITING:
            self.write(scope)

    def write(self, scope: Scope) -> None:
        waiting, self.waiting = self.waiting, []
        if self.marks:
            waiting = self._alive(connections[scope.using], waiting)
        _write(scope, [event for _, event in waiting])

    def _alive(self, connection: Any, waiting: list[tuple[_Mark | None, Event]]) -> list[tuple[_Mark | None, Event]]:
        """Those whose savepoints were not undone."""
        alive = {id(entry[1]) for entry in connection.run_on_commit}
        mine = {id(mark) for mark in self.marks.values()}
        connection.run_on_commit = [entry for entry in connection.run_on_commit if id(entry[1]) not in mine]
        self.marks = {}
        return [(mark, event) for mark, event in waiting if mark is None or id(mark) in alive]

    def _mark(self, scope: Scope) -> _Mark | None:
        savepoints = tuple(connections[scope.using].savepoint_ids[scope.depth :])
        if not savepoints:
            return None
        if savepoints not in self.marks:
            self.marks[savepoints] = mark = _Mark()
            transaction.on_commit(mark, using=scope.using)
        return self.marks[savepoints]


def record(
    action: str,
    entity: str,
    entity_id: UUID | None = None,
    *,
    patient_ids: Iterable[UUID] = (),
    changes: dict[str, Any] | None = None,
    reason: str = "",
    using: str | None = None,
) -> None:
    """Notes what the scope's actor does; written when the scope ends cleanly. Raises NoActor without an actor."""
    scope = _scope_of_actor(f"{action} {entity}", using)
    event = _event(scope, action, entity, entity_id, patient_ids=patient_ids, changes=changes, reason=reason)
    _buffer(scope).add(scope, event)


def record_seen(entity: str, patient_ids: Iterable[str]) -> None:
    """Notes whose data is shown; all of a scope become one event."""
    scope = _scope_of_actor(f"read {entity}", None)
    _buffer(scope).seen.setdefault(entity, {}).update(dict.fromkeys(patient_ids))


def record_apart(scope: Scope, action: str, entity: str = "", entity_id: UUID | None = None, **more: Any) -> None:
    """Writes an event at once in a transaction of its own, for what must survive a rollback or happened outside any.

    What a rolled back scope has shown nevertheless (candidates in a refusal) goes along. Raises NoSuchPractice.
    """
    event = _event(scope, action, entity, entity_id, **more)
    if scope.practice_id is None:
        _insert_into_platform(scope, event)
        return
    shown = _buffer(scope).read_events(scope)
    ask = (_KNOWN, (scope.practice_id,))
    with practice_scope(scope.practice_id, actor=scope.actor, request_id=scope.request_id, ip=scope.ip, ask=ask) as own:
        if own.opened is None:
            raise NoSuchPractice
        _insert(own, _INTO_PRACTICE, [*shown, event])


def record_on_platform(scope: Scope, action: str, entity: str = "", entity_id: UUID | None = None, **more: Any) -> None:
    """The same in the platform's log, whatever practice it was about."""
    _insert_into_platform(scope, _event(scope, action, entity, entity_id, **more))


def _insert_into_platform(scope: Scope, event: Event) -> None:
    with transaction.atomic(using=scope.using):
        _insert(scope, _INTO_PLATFORM, [event])


def _scope_of_actor(what: str, using: str | None) -> Scope:
    scope = current_scope()
    if scope is None or not _is_known(scope.actor) or using not in (None, scope.using):
        raise NoActor(what)
    return scope


def _is_known(actor: Actor) -> bool:
    return actor.id is not None if actor.kind == "user" else actor.kind == "system" and bool(actor.label)


def _buffer(scope: Scope) -> _Buffer:
    for callback in scope.before_commit:
        if isinstance(callback, _Buffer):
            return callback
    buffer = _Buffer()
    scope.before_commit.append(buffer)
    return buffer


def _event(
    scope: Scope,
    action: str,
    entity: str,
    entity_id: UUID | None,
    *,
    patient_ids: Iterable[UUID | str] = (),
    changes: dict[str, Any] | None = None,
    reason: str = "",
    status: int | None = None,
    at: datetime | None = None,
) -> Event:
    actor = scope.actor
    return {
        "id": new_id(),
        "practice_id": scope.practice_id,
        "at": at or timezone.now(),
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "actor_label": actor.label,
        "roles": actor.roles,
        "action": action,
        "entity": entity,
        "entity_id": entity_id,
        "patient_ids": list(dict.fromkeys(patient_ids)),
        "changes": changes or {},
        "request_id": scope.request_id,
        "ip": scope.ip,
        "operation": scope.operation,
        "reason": reason,
        "status": status,
    }


def _write(scope: Scope, events: list[Event]) -> None:
    for event in events:
        event["operation"] = event["operation"] or scope.operation
    if scope.practice_id is not None:
        _insert(scope, _INTO_PRACTICE, events)
        return
    for event in events:
        event["practice_id"] = event["entity_id"] if event["entity"] == "practices.practice" else None
    _insert(scope, _INTO_PLATFORM, events)
    _tell_practices(scope, [event for event in events if event["practice_id"]])


def _tell_practices(scope: Scope, events: list[Event]) -> None:
    """What the platform did to a practice shows in that practice's log as well."""
    for practice_id in dict.fromkeys(event["practice_id"] for event in events):
        with practice_scope(practice_id, actor=scope.actor, using=scope.using) as own:
            _insert(own, _INTO_PRACTICE, [event for event in events if event["practice_id"] == practice_id])


def _insert(scope: Scope, sql: str, events: list[Event]) -> None:
    """In the round trip that commits."""
    if events:
        connection: Any = connections[scope.using]
        for event in events:
            event["mac"] = mac(content(event).encode()).hex() if event["practice_id"] else None
        connection.end_with(sql, [orjson.dumps(events, default=str).decode()])
