import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config import embedded

PROJECT = Path(__file__).resolve().parent.parent.parent
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run() -> Run:
    """Run Python on our code in a process of its own, without the services' addresses unless they are given."""

    def run_python(*arguments: str, timeout: float = 60, **environment: str) -> "subprocess.CompletedProcess[str]":
        named = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "STATE_DIR", "ENVIRONMENT", "PYTEST_XDIST_WORKER"}
        inherited = {name: value for name, value in os.environ.items() if name not in named}
        return subprocess.run(  # noqa: S603  # our own code
            [sys.executable, *arguments],
            cwd=PROJECT,
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run_python


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A folder that an unprivileged account can reach, unlike pytest's own; its services are stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="practice-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)
        embedded.stop(Path(folder))
