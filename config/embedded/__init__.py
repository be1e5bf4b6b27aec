"""Real PostgreSQL and Valkey without installing them: started in a state folder, on loopback, and left running.

Used in development and tests when DATABASE_URL or REDIS_URL is not set; production refuses it.
`python -m config.embedded start|stop|status|run -- COMMAND` does the same by hand.

A state folder holds `services.json` (ports and passwords, readable by its owner only), `services.lock`, the data
folders `postgres/` and `valkey/`, and both logs. When we are root and the unprivileged account that runs the
services can't enter the folder, data and logs lie under /var/lib/practice-backend instead.
"""

from dataclasses import dataclass
from pathlib import Path

from config.embedded.account import choose_account
from config.embedded.errors import EmbeddedError
from config.embedded.postgres import Postgres
from config.embedded.state import Secrets, load, locked, save
from config.embedded.valkey import Valkey

__all__ = ["EmbeddedError", "Services", "ensure", "status", "stop"]


@dataclass(frozen=True)
class Services:
    """Where the services are, and which of them (`postgres`, `redis`) this call started."""

    database_url: str
    database_owner_url: str
    redis_url: str
    started: frozenset[str]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url,
            "DATABASE_OWNER_URL": self.database_owner_url,
            "REDIS_URL": self.redis_url,
        }


def _servers(state_dir: Path, *, durable: bool = True) -> tuple[Postgres, Valkey]:
    place = state_dir
    account = choose_account(place)
    if account.uid is not None:
        place = account.reachable_state(state_dir)
        account = choose_account(place)
    return (
        Postgres(place / "postgres", place / "postgres.log", account, durable),
        Valkey(place / "valkey", place / "valkey.log", account),
    )


def _running(state_dir: Path, stored: Secrets) -> set[str]:
    database, redis = _servers(state_dir)
    running = {"postgres"} if stored.prepared and database.running_on(stored.postgres_port) else set()
    return running | ({"redis"} if redis.running_on(stored) else set())


def ensure(state_dir: Path, *, postgres: bool = True, redis: bool = True, durable: bool = True) -> Services:
    """Start what is asked for and not yet running (0.01 s when all is, 1 s at first), and say where it is.

    `durable=False` trades safety against a crash of the machine for speed; for tests. Raises EmbeddedError.
    """
    state_dir = state_dir.absolute()
    wanted = {name for name, asked in (("postgres", postgres), ("redis", redis)) if asked}
    stored = load(state_dir)
    missing = wanted - _running(state_dir, stored) if stored else wanted
    started: set[str] = set()
    if missing:
        with locked(state_dir):
            stored, started = _start_missing(state_dir, wanted, durable=durable)
    if stored is None:
        stored = Secrets()
    return Services(stored.database_url, stored.database_owner_url, stored.redis_url, frozenset(started))


def _start_missing(state_dir: Path, wanted: set[str], *, durable: bool) -> tuple[Secrets, set[str]]:
    """Look again now that we hold the lock, since another process may have started them meanwhile."""
    found = load(state_dir)
    stored = found or Secrets()
    missing = wanted - (_running(state_dir, stored) if found else set())
    save(state_dir, stored)
    database, redis = _servers(state_dir, durable=durable)
    if "postgres" in missing:
        database.start(stored, secrets_were_lost=found is None)
        save(state_dir, stored)
    if "redis" in missing:
        redis.start(stored)
        save(state_dir, stored)
    return stored, missing


def stop(state_dir: Path, only: frozenset[str] = frozenset({"postgres", "redis"})) -> None:
    """Stop the services of a state folder; nothing happens to those that don't run."""
    state_dir = state_dir.absolute()
    stored = load(state_dir)
    if stored is None:
        return
    with locked(state_dir):
        database, redis = _servers(state_dir)
        if "redis" in only:
            redis.stop(stored)
        if "postgres" in only:
            database.stop()


def status(state_dir: Path) -> dict[str, bool]:
    """Which services of a state folder run."""
    state_dir = state_dir.absolute()
    stored = load(state_dir)
    running = _running(state_dir, stored) if stored else set()
    return {name: name in running for name in ("postgres", "redis")}
