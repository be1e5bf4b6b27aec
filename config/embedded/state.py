"""What must outlive a process: ports and passwords of a state folder's services, and the lock around starting them."""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from config.embedded.errors import EmbeddedError


def _password() -> str:
    return secrets.token_urlsafe(24)


@dataclass
class Secrets:
    """The content of `services.json`. A port of 0 has not been chosen yet."""

    postgres_port: int = 0
    redis_port: int = 0
    prepared: bool = False
    superuser_password: str = field(default_factory=_password)
    owner_password: str = field(default_factory=_password)
    runtime_password: str = field(default_factory=_password)
    redis_password: str = field(default_factory=_password)

    @property
    def database_url(self) -> str:
        return f"postgres://practice_runtime:{self.runtime_password}@127.0.0.1:{self.postgres_port}/practice"

    @property
    def database_owner_url(self) -> str:
        return f"postgres://practice_owner:{self.owner_password}@127.0.0.1:{self.postgres_port}/practice"

    @property
    def redis_url(self) -> str:
        return f"redis://:{self.redis_password}@127.0.0.1:{self.redis_port}/0"


def load(state_dir: Path) -> Secrets | None:
    """The stored secrets, or None when the file is missing or damaged (starting then makes new ones)."""
    try:
        return Secrets(**json.loads((state_dir / "services.json").read_text()))
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise EmbeddedError(
            f"The state folder {state_dir} belongs to another user: run as that user, or set STATE_DIR."
        ) from error
    except (ValueError, TypeError):
        return None


def save(state_dir: Path, stored: Secrets) -> None:
    """Replace the file in one step: a crash leaves the old or the new one."""
    unfinished = state_dir / "services.json.new"
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(stored), file, indent=1)
    unfinished.rename(state_dir / "services.json")


@contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Hold the state folder for ourselves: two processes must not initialise or start one cluster."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        if state_dir.stat().st_uid == os.geteuid():
            state_dir.chmod(0o711)  # a service account may pass through, nobody may list
        file = (state_dir / "services.lock").open("w")
    except OSError as error:
        raise EmbeddedError(
            f"The state folder {state_dir} can't be written ({error.strerror}): set STATE_DIR to a folder you own."
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def usable_port(port: int) -> int:
    """The port chosen earlier, or another when something else took it meanwhile."""
    return port if port and port_is_free(port) else free_port()


def process_is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "no log was written"
    return lines[-1] if lines else "the log is empty"
