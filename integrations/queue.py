"""Putting jobs into the queue, which is a table: a job exists when, and only when, the transaction commits."""

from typing import Any

from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.manager import JobManager
from procrastinate.tasks import Task, configure_task
from procrastinate.types import JSONDict


def enqueue(task: Task[Any, Any, Any], *jobs: JSONDict) -> None:
    """Queue the task once for each of `jobs`, its arguments: ids, never a patient's data. One statement, in Django's
    current transaction.

    `task.defer()` would do the same in a web process only: inside a worker it uses the worker's own connection,
    so the job would be there even after a rollback.
    """
    manager = JobManager(DjangoConnector(alias="default"))
    configure_task(name=task.name, job_manager=manager, queue=task.queue).batch_defer(*jobs)
