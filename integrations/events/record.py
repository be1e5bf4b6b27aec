"""Collects what a transaction changed and logs it at the transaction's end, whoever made the change."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
        for signal, receiver in _receivers(subject):
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
    if scope.practice_id is None or not changes:
        return
    # Deferred keys may wait for rows that another transaction holds while it waits for our counter: check them first.
    connections[scope.using].check_constraints()
    log.append(scope.practice_id, changes, using=scope.using)
    transaction.on_commit(partial(wake, scope.practice_id), using=scope.using, robust=True)


def merged(changes: Iterable[log.Change]) -> list[log.Change]:
    """One change a row: what the transaction as a whole did to it, nothing for a row it both made and deleted."""
    result: dict[tuple[str, UUID], log.Change | None] = {}
    for change in changes:
        subject, _, verb = change.type.partition(".")
        key = (subject, change.entity_id)
        earlier = result.pop(key, None)
        if earlier is not None and earlier.type.endswith(".created"):
            result[key] = None if verb == "deleted" else log.Change(earlier.type, change.entity_id, change.version)
        else:
            result[key] = change
    return [change for change in result.values() if change is not None]
