"""One database a worker, reached as in production: migrated by the owner, used by the runtime login."""

import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import OperationalError, connections
from django.test.utils import setup_databases, teardown_databases

from practices.models import Practice
from practices.tenancy import Actor, platform_scope, practice_scope

SETUP = Actor.system("tests")


def pytest_collection_finish() -> None:
    """As in the server (config/asgi.py): what was loaded stays, and is not looked through again for each test."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def django_db_setup(request: pytest.FixtureRequest, django_db_blocker: object) -> Iterator[None]:
    """Only the owner creates and migrates; the runtime login then works in the same database."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    name = settings.DATABASES["default"]["NAME"]
    for alias in ("default", "owner"):
        settings.DATABASES[alias].setdefault("TEST", {})
        connections[alias].settings_dict["TEST"]["NAME"] = f"test_{name}_{worker or os.getpid()}"
    aliases: Any = {"owner"}
    with django_db_blocker.unblock():  # type: ignore[attr-defined]  # pytest-django's blocker is untyped here
        config = setup_databases(verbosity=0, interactive=False, aliases=aliases, serialized_aliases=set())
        default, owner = connections["default"], connections["owner"]
        default.creation.set_as_test_mirror(owner.settings_dict)
        with owner.cursor() as cursor:  # transactional tests empty the tables with it
            role = owner.ops.quote_name(default.settings_dict["USER"])
            cursor.execute(f"GRANT TRUNCATE ON ALL TABLES IN SCHEMA public TO {role}")
            for table in ("audit_auditevent", "audit_platformauditevent", "audit_seal", "audit_platformseal"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only_truncate")
        owner.close()
        operations: Any = default.ops
        operations.execute_sql_flush = _patient(operations.execute_sql_flush)
    yield
    with django_db_blocker.unblock():  # type: ignore[attr-defined]  # as above
        connections["default"].close()
        teardown_databases(config, verbosity=0)


def _patient(flush: Callable[[Any], None]) -> Callable[[Any], None]:
    """A server that a test started may be at its last query while the tables are emptied: one gives way."""

    def again_and_again(statements: Any) -> None:
        for _ in range(4):
            with suppress(OperationalError):
                flush(statements)
                return
        flush(statements)

    return again_and_again


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    """Rate limits of one test are not the next one's."""
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _still_clock_of_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No new minute begins in the middle of a test that counts requests."""
    begun = time.time()
    still = SimpleNamespace(time=lambda: begun)
    monkeypatch.setattr("django_ratelimit.core.time", still)
    monkeypatch.setattr("config.api.attempts.time", still)


@pytest.fixture
def practice(db: None) -> Practice:
    with platform_scope(actor=SETUP):
        return Practice.objects.create(slug="alder", name="Alder Clinic", time_zone="America/New_York")


@pytest.fixture
def other_practice(db: None) -> Practice:
    """The stranger's."""
    with platform_scope(actor=SETUP):
        return Practice.objects.create(slug="birch", name="Birch Clinic", time_zone="Europe/Berlin")


@pytest.fixture
def in_practice(practice: Practice) -> Iterator[Practice]:
    with practice_scope(practice, actor=SETUP):
        yield practice
