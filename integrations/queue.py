"""Putting jobs into the queue, which is a table: a job exists when, and only when, the transaction commits."""

from typing import Any
from uuid import UUID

from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.manager import JobManager
from procrastinate.tasks import Task, configure_task
from procrastinate.types import JSONDict

from accounts.identity import living_membership
from practices.tenancy import current_actor


def enqueue(task: Task[Any, Any, Any], *jobs: JSONDict) -> None:
    """Queue the task once for each of `jobs`, its arguments: ids, never a patient's data. One statement, in Django's
    current transaction.

    `task.defer()` would do the same in a web process only: inside a worker it uses the worker's own connection,
    so the job would be there even after a rollback.
    """
    manager = JobManager(DjangoConnector(alias="default"))
    configure_task(name=task.name, job_manager=manager, queue=task.queue).batch_defer(*jobs)


def queued_by() -> str | None:
    """The id of the member who acts in the active scope, for a job's arguments; None when the system does."""
    actor = current_actor()
    return str(actor.id) if actor.kind == "user" else None


def may_still_act(*, practice_id: UUID, user_id: str | None) -> bool:
    """Whether a job may go on: not after the member who queued it was suspended or removed. In the practice's scope."""
    return user_id is None or living_membership(practice_id=practice_id, user_id=UUID(user_id)) is not None
