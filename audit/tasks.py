"""What the log is told a moment later, by the worker. procrastinate finds this module by its name."""

from datetime import datetime
from uuid import UUID

from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.manager import JobManager
from procrastinate.tasks import configure_task
from procrastinate.types import JSONDict


@app.task(queue="audit")
def record_login_failure(
    *, user_id: str | None, email_hash: str, reason: str, request_id: str, ip: str | None, operation: str, at: str
) -> None:
    """In the practices that the account belongs to; nowhere for an address that nobody has."""
    from audit.logins import failed_attempt, record_in_practices

    if user_id is not None:
        attempt = failed_attempt(email_hash, request_id=request_id, ip=ip, operation=operation)
        record_in_practices(attempt, UUID(user_id), reason=reason, at=datetime.fromisoformat(at))


def queue_login_failure(arguments: JSONDict) -> None:
    """One statement, in Django's current transaction."""
    manager = JobManager(DjangoConnector(alias="default"))
    configure_task(name=record_login_failure.name, job_manager=manager, queue="audit").defer(**arguments)


@app.periodic(cron="* * * * * *")  # the sixth column is seconds
@app.task(queue="audit", queueing_lock="seal_audit", lock="seal_audit", priority=10)
def seal_audit(timestamp: int) -> None:
    from audit.sealing import seal_all, seal_platform

    seal_all()
    seal_platform()


@app.periodic(cron="* * * * *")
@app.task(queue="audit", queueing_lock="anchor_audit")
def anchor_audit(timestamp: int) -> None:
    from audit import anchoring, sealing

    anchoring.anchor(sealing.heads())


@app.periodic(cron="*/10 * * * *")
@app.task(queue="audit", queueing_lock="note_erasures")
def note_erasures(timestamp: int) -> None:
    from audit import erasures

    erasures.note_all()
