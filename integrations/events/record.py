"""Collects what a transaction changed and logs it at the transaction's end, whoever made the change."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connections, models, transaction
from django.db.models.signals import post_delete, post_save

from integrations.events import log
from integrations.events.wake import wake
from practices.signals import bulk_created, bulk_updated
from practices.tenancy import Scope, current_scope

FOLLOWED = {"patients.Patient": "patient", "appointments.Appointment": "appointment"}
"""Model -> subject of its events."""
PARTS = {"patients.ContactPoint": "patient", "patients.PatientIdentifier": "patient"}
"""Model -> the subject whose row, named by its key of that name, changes with it: its own version doesn't count."""


@dataclass(slots=True)
class Pending:
    """Changes that wait for the transaction's end.

    They wait among the connection's on-commit callables (and do nothing there), because from there Django takes out
    those of a savepoint that is rolled back: a booking that was tried and undone is no event.
    """

    scope: Scope
    changes: list[log.Change]

    def __call__(self) -> None: ...


def connect() -> None:
    """Called once, when all apps are loaded."""
    for label, subject in FOLLOWED.items():
        model = apps.get_model(label)
        _connect(model, subject, _receivers(subject))
    for label, subject in PARTS.items():
        _connect(apps.get_model(label), subject, _receivers_of_part(subject))


def _connect(model: type[models.Model], subject: str, receivers: Iterable[tuple[Any, Callable[..., None]]]) -> None:
    for signal, receiver in receivers:
        signal.connect(receiver, sender=model, weak=False, dispatch_uid=f"events.{subject}")


def _receivers(subject: str) -> Iterable[tuple[Any, Callable[..., None]]]:
    def saved(sender: type[models.Model], instance: Any, created: bool, using: str, **kwargs: Any) -> None:
        _wait([log.Change(f"{subject}.{'created' if created else 'updated'}", instance.pk, instance.version)], using)

    def deleted(sender: type[models.Model], instance: Any, using: str, **kwargs: Any) -> None:
        _wait([log.Change(f"{subject}.deleted", instance.pk, instance.version)], using)

    def many_created(sender: type[models.Model], instances: list[Any], **kwargs: Any) -> None:
        _wait([log.Change(f"{subject}.created", row.pk, row.version) for row in instances])

    def many_updated(sender: type[models.Model], after: dict[UUID, Any], **kwargs: Any) -> None:
        versions = sender._default_manager.filter(pk__in=after).values_list("pk", "version")
        _wait([log.Change(f"{subject}.updated", pk, version) for pk, version in versions])

    return [(post_save, saved), (post_delete, deleted), (bulk_created, many_created), (bulk_updated, many_updated)]


def _receivers_of_part(subject: str) -> Iterable[tuple[Any, Callable[..., None]]]:
    key = f"{subject}_id"

    def touched(ids: Iterable[UUID], using: str = "default") -> None:
        _wait([log.Change(f"{subject}.updated", pk, None) for pk in ids], using)

    def one(sender: type[models.Model], instance: Any, using: str, **kwargs: Any) -> None:
        touched([getattr(instance, key)], using)

    def many_created(sender: type[models.Model], instances: list[Any], **kwargs: Any) -> None:
        touched(getattr(row, key) for row in instances)

    def many_updated(sender: type[models.Model], after: dict[UUID, Any], **kwargs: Any) -> None:
        touched(sender._default_manager.filter(pk__in=after).values_list(key, flat=True))

    return [(post_save, one), (post_delete, one), (bulk_created, many_created), (bulk_updated, many_updated)]


def _wait(changes: list[log.Change], using: str = "default") -> None:
    scope = current_scope()
    if scope is None or not changes:
        return  # without a scope the row policies let nothing be changed
    transaction.on_commit(Pending(scope, changes), using=using)
    if log_changes not in scope.before_commit:
        scope.before_commit.append(log_changes)


def log_changes(scope: Scope) -> None:
    """Logs what was changed in the scope, after all else that waits for its end."""
    if scope.before_commit[-1] is not log_changes:
        scope.before_commit.append(log_changes)
        return
    entries = [entry for _, entry, *_ in connections[scope.using].run_on_commit]
    changes = merged(
        change for entry in entries if isinstance(entry, Pending) and entry.scope is scope for change in entry.changes
    )
    changes = with_versions(changes)
    if scope.practice_id is None or not changes:
        return
    log.append(scope.practice_id, changes, using=scope.using)
    transaction.on_commit(partial(wake, scope.practice_id), using=scope.using, robust=True)


def with_versions(changes: list[log.Change]) -> list[log.Change]:
    """Fills in versions that aren't known, and leaves out rows that are gone. One query a subject that has such."""
    unknown: dict[str, list[UUID]] = {}
    for change in changes:
        if change.version is None:
            unknown.setdefault(change.subject, []).append(change.entity_id)
    if not unknown:
        return changes
    versions: dict[UUID, int] = {}
    for label, subject in FOLLOWED.items():
        if ids := unknown.get(subject):
            versions |= apps.get_model(label)._default_manager.filter(pk__in=ids).values_list("pk", "version")
    known = [replace(change, version=change.version or versions.get(change.entity_id)) for change in changes]
    return [change for change in known if change.version is not None]


def merged(changes: Iterable[log.Change]) -> list[log.Change]:
    """One change a row: what the transaction as a whole did to it, nothing for a row it both made and deleted."""
    result: dict[tuple[str, UUID], log.Change | None] = {}
    for change in changes:
        key = (change.subject, change.entity_id)
        result[key] = _together(result.pop(key, None), change)
    return [change for change in result.values() if change is not None]


def _together(earlier: log.Change | None, change: log.Change) -> log.Change | None:
    if earlier is None:
        return change
    made = earlier.verb == "created"
    if change.verb == "deleted":
        return None if made else change
    return replace(change, type=earlier.type if made else change.type, version=change.version or earlier.version)
