"""Several web processes share one port, and all of them work."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import psutil  # type: ignore[import-untyped]  # no stubs for one test
import pytest
from django.conf import settings

from tests.integrations.live import LiveServer

CONNECTIONS = 60

pytestmark = [pytest.mark.machinery, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def server() -> Iterator[LiveServer]:
    with LiveServer({}, workers=2) as started:
        deadline = time.monotonic() + 30
        while len(listeners(started)) < started.workers:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield started


def processes(server: LiveServer) -> list[psutil.Process]:
    assert server.process is not None
    parent = psutil.Process(server.process.pid)
    return [parent, *parent.children(recursive=True)]


def listeners(server: LiveServer) -> list[psutil.Process]:
    return [each for each in processes(server) if held(each, server.port, psutil.CONN_LISTEN)]


def held(process: psutil.Process, port: int, status: str) -> int:
    """How many connections to the port the process has in this state."""
    found = process.net_connections(kind="tcp")
    return len([each for each in found if each.laddr and each.laddr.port == port and each.status == status])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port is not spread over its sockets")
def test_connections_opened_at_once_are_spread_over_the_processes(server: LiveServer) -> None:
    """Each is as likely to go to one as to the other: that one of two gets less than 10 of 60 is one in 10 million."""
    with ExitStack() as opened:
        for _ in range(CONNECTIONS):
            opened.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        counts: list[int] = []
        deadline = time.monotonic() + 10
        while sum(counts) < CONNECTIONS and time.monotonic() < deadline:
            counts = [held(each, server.port, psutil.CONN_ESTABLISHED) for each in listeners(server)]
    assert sum(counts) == CONNECTIONS
    assert len(counts) == server.workers
    assert min(counts) >= 10


def test_an_idle_connection_stays_open_for_the_proxy_to_use(server: LiveServer) -> None:
    """One that the server closes first, at the moment when the proxy sends a booking into it, is a 502 to somebody."""
    connection = HTTPConnection(server.host, timeout=10)
    with closing(connection):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
        opened = connection.sock.getsockname()
        time.sleep(6)  # uvicorn alone would have closed it after 5
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        assert connection.sock.getsockname() == opened


def test_another_server_on_the_port_does_not_start(server: LiveServer) -> None:
    """Since the port can be shared, it would otherwise get half of the first one's requests."""
    command = [sys.executable, "-m", "config.serve", "--port", str(server.port), "--workers", "2"]
    second = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # our own
    assert second.returncode != 0
    assert len(listeners(server)) == server.workers
