"""What the worker would do, in the test's own transaction."""

from types import SimpleNamespace
from typing import Any

from procrastinate.contrib.django.models import ProcrastinateJob

from audit.tasks import record_login_failure
from integrations.tasks import send_notice


def queued_notices() -> list[dict[str, Any]]:
    """The arguments of the notices that wait in the queue, oldest first."""
    jobs = ProcrastinateJob.objects.filter(task_name=send_notice.name).order_by("id")
    return [job.args for job in jobs]


def send_notices(*, attempts: int = 0) -> None:
    """Each once, after so many earlier attempts."""
    context: Any = SimpleNamespace(job=SimpleNamespace(attempts=attempts))
    for arguments in queued_notices():
        send_notice(context, **arguments)


def record_login_failures() -> None:
    """In the practices' logs."""
    for job in ProcrastinateJob.objects.filter(task_name=record_login_failure.name):
        record_login_failure(**job.args)
