"""`make demo` as its user meets it: in a process of its own, with real services, stopped by a signal."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from config import embedded
from tests.platform.conftest import PROJECT, Run
from tests.platform.test_health import free_port

pytestmark = pytest.mark.machinery
START_SECONDS = 120
STOP_SECONDS = 10


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    """The one sentence with which the demo ended."""
    assert done.returncode == 1
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    return done.stderr


def test_taken_port_says_the_cure(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"Port {port} can't be used" in refused(run("-m", "config.demo", PORT=port))


@pytest.mark.parametrize("port", ["web", "0", "70000"])
def test_wrong_port_says_the_cure(run: Run, port: str) -> None:
    assert f"PORT={port} is no port number" in refused(run("-m", "config.demo", PORT=port))


def test_unreachable_database_says_the_cure(run: Run, settings: Settings) -> None:
    url = f"postgres://practice_runtime:secret@127.0.0.1:{free_port()}/practice"
    done = run(
        "-m",
        "config.demo",
        PORT=str(free_port()),
        DATABASE_URL=url,
        DATABASE_OWNER_URL=url,
        REDIS_URL=settings.REDIS_URL,
    )
    said = refused(done)
    assert "DATABASE_URL can't be used" in said
    assert "secret" not in said


def test_wrong_password_says_which_variable(run: Run, settings: Settings) -> None:
    done = run(
        "-m",
        "config.demo",
        PORT=str(free_port()),
        DATABASE_URL=settings.DATABASE_URL,
        DATABASE_OWNER_URL=settings.DATABASE_URL.replace(":", ":wrong", 2).replace("postgres:wrong", "postgres:", 1),
        REDIS_URL=settings.REDIS_URL,
    )
    assert "DATABASE_OWNER_URL can't be used" in refused(done)


def test_unreachable_redis_says_the_cure(run: Run, settings: Settings) -> None:
    done = run(
        "-m",
        "config.demo",
        PORT=str(free_port()),
        DATABASE_URL=settings.DATABASE_URL,
        DATABASE_OWNER_URL=settings.DATABASE_OWNER_URL,
        REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
    )
    assert "REDIS_URL can't be used" in refused(done)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_serves_and_stops_what_it_started(state_dir: Path, number: signal.Signals) -> None:
    named = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "ENVIRONMENT", "PYTEST_XDIST_WORKER"}
    inherited = {name: value for name, value in os.environ.items() if name not in named}
    port = str(free_port())
    with subprocess.Popen(
        [sys.executable, "-m", "config.demo"],
        cwd=PROJECT,
        env={**inherited, "PORT": port, "STATE_DIR": str(state_dir)},
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            line = demo.stdout.readline()
            assert line, f"it ended: {said}"
            said += line
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as response:
            assert json.load(response)["status"] == "ok"
        assert f"http://localhost:{port}/admin/" in said
        assert "owner@northside.test" in said
        started = time.monotonic()
        demo.send_signal(number)
        assert demo.wait(timeout=STOP_SECONDS * 3) == 0
        assert time.monotonic() - started < STOP_SECONDS
    assert embedded.status(state_dir) == {"postgres": False, "redis": False}
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(port))) != 0
