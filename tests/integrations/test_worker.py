"""The worker as a process of its own, on real PostgreSQL, calling a vendor over HTTP; and killed while it does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from integrations.models import Message, MessageKind, MessageStatus
from integrations.queue import enqueue
from integrations.tasks import send_message
from practices.tenancy import practice_scope
from tests.appointments.conftest import SETUP
from tests.integrations.counterparts.server import Response
from tests.integrations.counterparts.twilio import TwilioCounterpart

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _empty_queue() -> Iterator[None]:
    """procrastinate's tables are not Django's to empty, so jobs of earlier tests may be there too."""
    _empty()
    yield
    _empty()


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
        cursor.execute("DELETE FROM procrastinate_workers")


def url_of(alias: str) -> str:
    """The test database's own URL, for another process."""
    database = settings.DATABASES[alias]
    name = connection.settings_dict["NAME"]
    password = quote(str(database["PASSWORD"]))
    return f"postgres://{database['USER']}:{password}@{database['HOST']}:{database['PORT']}/{name}"


@pytest.fixture
def start_worker(twilio: TwilioCounterpart) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    processes = []
    environment = {
        **os.environ,
        "DATABASE_URL": url_of("default"),
        "DATABASE_OWNER_URL": url_of("owner"),
        "REDIS_URL": settings.REDIS_URL,
        "SMS_VENDOR": "twilio",
        "TWILIO_BASE_URL": twilio.url,
        "TWILIO_ACCOUNT_SID": twilio.account_sid,
        "TWILIO_AUTH_TOKEN": twilio.auth_token,
        "TWILIO_FROM": "+15005550006",
        "WORKER_STALLED_AFTER_SECONDS": "6",
    }

    def start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, str(ROOT / "manage.py"), "worker"]
        process = subprocess.Popen(command, env=environment, cwd=ROOT)  # noqa: S603 (our own command)
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(0.1)


@pytest.fixture
def message(clinic: Any, booking: Callable[..., Any]) -> Message:
    from appointments.services import book

    with practice_scope(clinic.practice, actor=SETUP):
        appointment = book(booking(), by=SETUP)
        message: Message = Message.objects.create(
            kind=MessageKind.CONFIRMATION,
            channel="sms",
            to="+12125550123",
            patient=clinic.patient,
            appointment=appointment,
        )
        enqueue(send_message, {"practice_id": str(clinic.practice.pk), "message_id": str(message.pk)})
    return message


def open_transactions() -> int:
    """Of other sessions on this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND usename = current_user AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
        )
        row: tuple[int] = cursor.fetchone()
    return row[0]


def status_of(message: Message) -> str:
    with practice_scope(message.practice_id, actor=SETUP):
        return str(Message.objects.values_list("status", flat=True).get(pk=message.pk))


def test_worker_sends_what_is_queued_and_stops_on_sigterm(
    message: Message, twilio: TwilioCounterpart, start_worker: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    worker = start_worker()
    wait_until(lambda: status_of(message) == MessageStatus.SENT)
    assert [form["To"] for form in twilio.accepted] == ["+12125550123"]
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=20) == 0
    jobs = ProcrastinateJob.objects.values_list("task_name", "args")
    assert [name for name, given in jobs if "timestamp" not in given] == []  # one of the clock's may have come due


def test_killed_workers_job_is_run_again_by_another(
    message: Message, twilio: TwilioCounterpart, start_worker: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    twilio.answer_next.append(Response(201, delay=30))
    first = start_worker()
    wait_until(lambda: len(twilio.requests) == 1)
    wait_until(lambda: open_transactions() == 0, seconds=15)  # one around the call would be open for its 30 s
    assert status_of(message) == MessageStatus.SENDING
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert status_of(message) == MessageStatus.SENDING
    start_worker()
    wait_until(lambda: status_of(message) == MessageStatus.SENT)
    assert len(twilio.requests) == 2
    assert len(twilio.accepted) == 1
