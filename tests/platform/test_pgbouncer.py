"""Behind PgBouncer in transaction mode, with fewer connections than threads, nobody gets another practice's rows."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections

from config.embedded.account import choose_account
from patients.models import Patient
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import client_for
from tests.rows import SETUP, make_row

CURE = "PgBouncer is missing: apt-get install pgbouncer (Debian), or put a `pgbouncer` into PATH."
THREADS, REQUESTS, SERVER_CONNECTIONS = 8, 20, 2
# What a connection starts with otherwise: nobody's practice and nobody's user.
START = "SELECT " + ", ".join(
    f"set_config(''{name}'', ''{settings.NO_CONTEXT}'', false)" for name in ("app.practice_id", "app.user_id")
)

pytestmark = pytest.mark.machinery


@pytest.fixture
def pooled(transactional_db: None, tmp_path_factory: Any) -> Iterator[None]:
    """New threads reach the test's database through PgBouncer."""
    path = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if path is None and "CI" not in os.environ:
        pytest.skip(CURE)
    assert path, CURE
    server = connections["default"].settings_dict
    port = _free_port()
    folder = Path("/tmp") / f"pgbouncer-{port}"  # noqa: S108  # entered by the account it runs as, whoever we are
    folder.mkdir(mode=0o755)
    config = folder / "pgbouncer.ini"
    config.write_text(_config(server, port))
    process = subprocess.Popen([path, str(config)], **_account(), stderr=subprocess.DEVNULL)  # noqa: S603  # as found above
    before = server["PORT"], server["OPTIONS"]
    try:
        _wait_for(port, process)
        server["PORT"], server["OPTIONS"] = port, {**server["OPTIONS"], "prepare_threshold": None}  # DATABASE_PREPARE
        yield
    finally:
        server["PORT"], server["OPTIONS"] = before
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def _config(server: Any, port: int) -> str:
    target = f"host={server['HOST']} port={server['PORT']} dbname={server['NAME']}"
    login = f"user={server['USER']} password={server['PASSWORD']}"
    return "\n".join(
        [
            "[databases]",
            f"{server['NAME']} = {target} {login} connect_query='{START}'",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {port}",
            "unix_socket_dir =",
            "auth_type = any",
            "pool_mode = transaction",
            f"default_pool_size = {SERVER_CONNECTIONS}",
            "ignore_startup_parameters = options",
        ]
    )


def _account() -> dict[str, Any]:
    account = choose_account(settings.STATE_DIR)
    return {} if account.uid is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, "PgBouncer didn't start."
        time.sleep(0.05)
    raise AssertionError("PgBouncer doesn't answer.")


def test_requests_of_two_practices_share_two_connections(
    practice: Practice, other_practice: Practice, pooled: None, settings: Any
) -> None:
    settings.RATELIMIT_ENABLE = False
    clients = {}
    for each in (practice, other_practice):
        with practice_scope(each, actor=SETUP):
            name = make_row(Patient, family_name=each.slug).family_name
        clients[name] = client_for("owner", each)

    def work(number: int) -> set[int]:
        """Each thread asks for both practices in turn; the processes of PostgreSQL that served it."""
        served = set()
        try:
            for turn in range(REQUESTS):
                name = sorted(clients)[(number + turn) % 2]
                answer = clients[name].get("/api/v1/patients").json()
                assert [patient["family_name"] for patient in answer["results"]] == [name]
                served.add(_backend())
        finally:
            connection.close()
        return served

    with ThreadPoolExecutor(THREADS) as threads:
        backends = set().union(*threads.map(work, range(THREADS)))
    assert len(backends) == SERVER_CONNECTIONS


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), current_setting('app.practice_id')")
        pid, practice_id = cursor.fetchone()
    assert practice_id == settings.NO_CONTEXT  # nothing is left behind for whoever comes next
    return int(pid)
