import pytest
from django.db import transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.contrib.django.utils import connector_params
from procrastinate.psycopg_connector import PsycopgConnector

from integrations.queue import enqueue
from integrations.tasks import recover_stalled_jobs

pytestmark = pytest.mark.django_db


class Abandoned(Exception):
    """Ends a transaction in a test."""


def enqueue_and_abandon() -> None:
    with transaction.atomic():
        enqueue(recover_stalled_jobs, {"message_id": "m-1"})
        raise Abandoned


def jobs() -> list[dict[str, object]]:
    return list(ProcrastinateJob.objects.values_list("args", flat=True))


def test_job_exists_once_its_transaction_commits() -> None:
    with transaction.atomic():
        enqueue(recover_stalled_jobs, {"message_id": "m-1"})
    assert jobs() == [{"message_id": "m-1"}]


def test_job_of_a_rolled_back_transaction_never_was() -> None:
    with pytest.raises(Abandoned):
        enqueue_and_abandon()
    assert jobs() == []


def test_job_queued_by_a_job_follows_its_transaction_too() -> None:
    """Inside a worker the app has the worker's own connection."""
    worker_connector = PsycopgConnector(kwargs=connector_params("default"))
    with app.replace_connector(worker_connector), pytest.raises(Abandoned):
        enqueue_and_abandon()
    assert jobs() == []
