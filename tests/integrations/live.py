"""The real server in a process of its own, on this test process's database, and clients of its event stream."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connections
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def database_url() -> str:
    """The test database's, for the runtime login."""
    config = connections["default"].settings_dict
    login = f"{quote(config['USER'])}:{quote(config['PASSWORD'])}"
    return f"postgres://{login}@{config['HOST']}:{config['PORT']}/{config['NAME']}"


class LiveServer:
    """The web server as `make demo` starts it. `environment` overrides settings; `output` receives its log."""

    def __init__(self, environment: Mapping[str, str], *, output: Path | None = None, workers: int = 1) -> None:
        self.output, self.workers = output, workers
        self.port = free_port()
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            **os.environ,
            "ENVIRONMENT": "test",
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": database_url(),
            "DATABASE_OWNER_URL": database_url(),
            "REDIS_URL": settings.REDIS_URL,
            **self.environment,
        }
        command = ["-m", "config.serve", "--port", str(self.port), "--stop-seconds", "1"]
        command += ["--workers", str(self.workers)]
        with (self.output or Path(os.devnull)).open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603  # our own command
                [sys.executable, *command],
                cwd=settings.BASE_DIR,
                env=environment,
                stderr=output if self.output else None,
            )
        self._wait_until_serving()

    def _wait_until_serving(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """As the machine's failing would: nothing is said to anybody."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(10)
            self.process = None

    def __enter__(self) -> "LiveServer":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def connect_without_room(self, ticket: str) -> ClientConnection:
        """For a client that takes little before it has to be read from."""
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.connect(("127.0.0.1", self.port))
        return self.connect(ticket, sock=narrow, max_queue=1, compression=None)

    def connect(self, ticket: str, **options: Any) -> ClientConnection:
        url = f"ws://{self.host}/ws/v1/events?ticket={ticket}"
        connection: ClientConnection = connect(url, open_timeout=10, **options)
        return connection

    @contextmanager
    def listening(self, ticket: str, *, resume: int | None = None) -> Iterator["Listening"]:
        with self.connect(ticket) as socket:
            if resume is not None:
                socket.send(json.dumps({"resume": resume}))
            yield Listening(socket)


class Listening:
    """Reads a connection's messages."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def message(self, timeout: float = 10) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.socket.recv(timeout=timeout))
        return decoded

    def event(self, timeout: float = 10) -> dict[str, Any]:
        """The next message that is no heartbeat; raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while (message := self.message(deadline - time.monotonic()))["type"] == "heartbeat":
            pass
        return message

    def seqs(self, count: int) -> list[int]:
        return [self.event()["seq"] for _ in range(count)]

    def close_code(self, timeout: float = 10) -> int | None:
        """Reads on until the server closes; raises TimeoutError."""
        return close_code(self.socket, timeout)


def close_code(socket: ClientConnection, timeout: float = 10) -> int | None:
    deadline = time.monotonic() + timeout
    try:
        while True:
            socket.recv(timeout=max(0, deadline - time.monotonic()))
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else None
