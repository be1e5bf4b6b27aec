"""The three servers that are measured, each as it would be deployed: own process, own log, so many workers."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from config.embedded.state import free_port
from tests.benchmarks.place import PROJECT, Place, environment

START_SECONDS = 60.0
Command = Callable[[int, int], list[str]]


@dataclass(frozen=True)
class Kind:
    """How a server is started, given its port and number of workers. All say at /healthz that they are up."""

    name: str
    command: Command
    settings: str = ""
    """A Django settings module instead of the project's own."""
    database: str = ""
    """The name of another database of the same services."""


OURS = Kind("ours", lambda port, workers: ["-m", "config.serve", "--port", str(port), "--workers", str(workers)])
PEER = Kind(
    "peer",
    lambda port, workers: [
        *("-m", "uvicorn", "tests.benchmarks.peer.main:app", "--port", str(port), "--workers", str(workers)),
        *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"),
    ],
)
PLAIN = Kind(
    "drf",
    lambda port, workers: [
        *("-m", "gunicorn", "tests.benchmarks.drf.wsgi:application", "--bind", f"127.0.0.1:{port}"),
        *("--workers", str(workers), "--worker-class", "gthread", "--threads", "8", "--keep-alive", "30"),
        *("--log-level", "warning"),
    ],
    settings="tests.benchmarks.drf.settings",
)
KINDS = {kind.name: kind for kind in (OURS, PEER, PLAIN)}


@dataclass(frozen=True)
class Server:
    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    started_in: float
    """Seconds from the start of the process to its first answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """Process ids of the server and all its children."""
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            waiting += children(pid)
        return found

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@contextmanager
def serving(kinds: Sequence[Kind], place: Place, *, workers: int, quiet: bool = False) -> Iterator[dict[str, Server]]:
    """All of them, answering. With `quiet` their logs go nowhere, for runs that would fill the disk."""
    running: dict[str, Server] = {}
    variables = {**os.environ, **environment(place), **keys(), "PEER_DATABASE_URL": place.peer_url()}
    variables["DJANGO_SETTINGS_MODULE"] = ""
    variables.pop("ACCESS_TOKEN_MINUTES", None)
    try:
        for kind in kinds:
            running[kind.name] = _start(kind, place, variables, workers=workers, quiet=quiet)
        yield running
    finally:
        for server in running.values():
            server.stop()


def keys() -> dict[str, str]:
    """What the others need to take this project's tokens and to open its fields."""
    from django.conf import settings

    return {
        "JWT_SIGNING_KEY": ",".join(settings.JWT_SIGNING_KEYS),
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
    }


def _start(kind: Kind, place: Place, variables: dict[str, str], *, workers: int, quiet: bool) -> Server:
    port = free_port()
    variables = dict(variables)
    variables.pop("DJANGO_SETTINGS_MODULE")
    if kind.settings:
        variables["DJANGO_SETTINGS_MODULE"] = kind.settings
    if kind.database:
        variables |= {
            name: urlsplit(variables[name])._replace(path=f"/{kind.database}").geturl()
            for name in ("DATABASE_URL", "DATABASE_OWNER_URL")
        }
    log = Path(os.devnull) if quiet else place.folder / f"{kind.name}.log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own commands
            [sys.executable, *kind.command(port, workers)],
            cwd=PROJECT,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(kind.name, port, process, 0.0)
    while time.monotonic() - began < START_SECONDS and process.poll() is None:
        if answers(f"{server.url}/healthz"):
            return Server(kind.name, port, process, time.monotonic() - began)
        time.sleep(0.02)
    server.stop()
    raise SystemExit(f"bench: the server {kind.name} did not start: see {log}")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  # our own http address
            return bool(response.status == 200)
    except OSError:
        return False
