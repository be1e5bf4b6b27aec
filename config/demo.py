"""`make demo`: services, migrations, demo data, web server and worker, all stopped again by Ctrl-C or SIGTERM."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DatabaseError, connections

from config import embedded
from config.reachability import Unreachable, require_database, require_redis

LOGINS = {
    "owner@northside.test": "practice owner",
    "provider@northside.test": "provider",
    "frontdesk@northside.test": "front desk",
    "biller@northside.test": "billing",
    "auditor@northside.test": "auditor",
    "owner@lakeside.test": "owner of the other practice",
    "multi@demo.test": "provider in both practices",
    "root@demo.test": "platform superuser, sees no patient; sets up an authenticator app at first",
}
STOP_SECONDS = 3


class Stopped(BaseException):
    """SIGINT or SIGTERM arrived."""


class Signals:
    """Turns SIGINT and SIGTERM into Stopped: at once or, where leaving would lose track of a service, a bit later."""

    def __init__(self) -> None:
        self.holding = False
        self.arrived = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.arrived = True
        if not self.holding:
            raise Stopped

    @contextmanager
    def held(self) -> Iterator[None]:
        self.holding = True
        yield
        self.holding = False

    def release(self) -> None:
        """Raise Stopped if a signal came while they were held."""
        if self.arrived:
            raise Stopped


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unreachable(
                f"Port {port} can't be used ({error.strerror}): stop what uses it, or choose another with PORT=8001."
            ) from error


def _port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Unreachable(f"PORT={text} is no port number: choose one from 1024 to 65535.")
    return int(text)


def _prepare(signals: Signals) -> frozenset[str]:
    """Settings (which start what is missing), logins, migrations, data. Returns what has to be stopped in the end."""
    from django.conf import settings

    with signals.held():
        started: frozenset[str] = settings.EMBEDDED_STARTED
    try:
        signals.release()
        require_database(settings.DATABASE_URL, "DATABASE_URL")
        require_database(settings.DATABASE_OWNER_URL, "DATABASE_OWNER_URL")
        require_redis(settings.REDIS_URL, "REDIS_URL")
        os.environ.update(
            DATABASE_URL=settings.DATABASE_URL,
            DATABASE_OWNER_URL=settings.DATABASE_OWNER_URL,
            REDIS_URL=settings.REDIS_URL,
        )
        django.setup()
        _say("Migrating ...")
        call_command("migrate", verbosity=0)
        _say("Seeding ...")
        call_command("seed", verbosity=0)
        for connection in connections.all():
            connection.close()
    except BaseException:
        embedded.stop(settings.STATE_DIR, started)
        raise
    return started


def _start(host: str, port: int) -> dict[str, subprocess.Popen[bytes]]:
    """Web server and worker, out of the terminal's process group: only we pass signals on to them."""
    environment = {"LOG_LEVEL": "WARNING", **os.environ, "WORKER_STOP_SECONDS": "1"}
    serve = ["-m", "config.serve", "--host", host, "--port", str(port), "--stop-seconds", "2"]
    return {
        name: subprocess.Popen([sys.executable, *command], start_new_session=True, env=environment)  # noqa: S603  # our own commands
        for name, command in {"web server": serve, "worker": ["manage.py", "worker"]}.items()
    }


def _wait_until_ready(url: str, children: dict[str, subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        _require_alive(children)
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()  # noqa: S310  # our own http address
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise Unreachable(f"The web server at {url} did not become ready within 60 s: its messages above say why.")


def _require_alive(children: dict[str, subprocess.Popen[bytes]]) -> None:
    for name, child in children.items():
        if child.poll() is not None:
            raise Unreachable(f"The {name} ended with code {child.returncode}: its messages above say why.")


def _end(children: dict[str, subprocess.Popen[bytes]]) -> None:
    for child in children.values():
        child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children.values():
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _announce(url: str) -> None:
    from appointments.management.commands.seed import DEMO_PASSWORD

    _say("")
    _say(f"  API    {url}/api/v1/meta")
    _say(f"  Docs   {url}/api/v1/docs   (Authorize with a login below)")
    _say(f"  Admin  {url}/admin/")
    _say("")
    _say(f"  Logins, all with the password {DEMO_PASSWORD}")
    for login, what in LOGINS.items():
        _say(f"    {login:<26} {what}")
    _say("")
    _say("  Ctrl-C stops everything; the data stays.")


def serve(signals: Signals) -> None:
    """Returns when stopped by a signal; raises Unreachable, ImproperlyConfigured or DatabaseError with the cure."""
    port = _port()
    host = os.environ.get("HOST") or "127.0.0.1"
    _check_port(host, port)
    url = f"http://localhost:{port}"
    os.environ.setdefault("PUBLIC_URL", url)
    started = _prepare(signals)
    children: dict[str, subprocess.Popen[bytes]] = {}
    from django.conf import settings

    try:
        children = _start(host, port)
        _wait_until_ready(url, children)
        _announce(url)
        while True:
            _require_alive(children)
            time.sleep(0.5)
    except Stopped:
        _say("Stopping ...")
    finally:
        signals.holding = True
        _end(children)
        embedded.stop(settings.STATE_DIR, started)


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        serve(Signals())
    except Stopped:
        return 0
    except (Unreachable, ImproperlyConfigured) as error:
        return _failed(str(error))
    except DatabaseError as error:
        return _failed(f"The database refused to be prepared: {str(error).splitlines()[0]}")
    return 0


def _failed(sentence: str) -> int:
    sys.stderr.write(f"demo: {sentence}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
