"""What auditing costs: the same requests with it and without, in turn, on two databases that are alike."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from statistics import median
from typing import Any

from tests.benchmarks.compare import cpu_of
from tests.benchmarks.load import Figures
from tests.benchmarks.modes import steady
from tests.benchmarks.place import PROJECT, Place, environment
from tests.benchmarks.report import Lines, publish
from tests.benchmarks.servers import OURS, Server, serving
from tests.benchmarks.traffic import Request, Traffic

HEADINGS = (
    *("endpoint", "without: requests/s", "with audit: requests/s", "without: CPU ms", "with audit: CPU ms"),
    *("ratio", "by CPU", "target"),
)
READS = {"list": "list of 50 patients", "detail": "one patient", "provider_day": "a provider's day"}
READ_TARGET, BOOKING_TARGET = 0.95, 0.90
COPY = "practice_unaudited"
BOOKINGS_A_SECOND = 800
UNAUDITED = replace(OURS, name="unaudited", settings="tests.benchmarks.unaudited.settings", database=COPY)


@dataclass(frozen=True)
class Turn:
    figures: Figures
    cpu_ms: float
    """What everything of ours computed for a request: server, PostgreSQL and whoever seals."""


def cost(place: Place, traffic: Traffic, *, rounds: int, seconds: float, connections: int, into_docs: bool) -> None:
    lines: Lines = []
    data: list[dict[str, Any]] = []
    with copied(place), sealing(place) as sealer, serving([OURS, UNAUDITED], place, workers=1, quiet=True) as servers:
        for name, title in {**READS, "booking": "booking"}.items():
            target = BOOKING_TARGET if name == "booking" else READ_TARGET
            found: dict[str, list[Turn]] = {system: [] for system in servers}
            for system, turn in _turns(servers, place, sealer, traffic, name, rounds, seconds, connections):
                found[system].append(turn)
            on, off = found["ours"], found["unaudited"]
            rates = [median(turn.figures.per_second for turn in turns) for turns in (off, on)]
            work = [median(turn.cpu_ms for turn in turns) for turns in (off, on)]
            by_rate = median(
                one.figures.per_second / other.figures.per_second for one, other in zip(on, off, strict=True)
            )
            by_cpu = median(other.cpu_ms / one.cpu_ms for one, other in zip(on, off, strict=True))
            data.append({"endpoint": name, "rates": rates, "cpu_ms": work, "by_rate": by_rate, "by_cpu": by_cpu})
            met = "met" if by_cpu >= target else "MISSED"
            shown = (*(f"{rate:,.0f}" for rate in rates), *(f"{each:.2f}" for each in (*work, by_rate, by_cpu)))
            lines.append((title, *shown, f">= {target:.2f} {met}"))
    publish(place, "audit", HEADINGS, lines, data, into_docs=into_docs)


def _turns(
    servers: dict[str, Server],
    place: Place,
    sealer: int,
    traffic: Traffic,
    name: str,
    rounds: int,
    seconds: float,
    connections: int,
) -> Iterator[tuple[str, Turn]]:
    """Both in an order drawn anew each time; the first of each, which warms up, is not counted."""
    random = Random("order")  # noqa: S311  # no secrets
    for turn in range(rounds + 1):
        length = seconds if turn else 1.0
        requests = _requests(traffic, name, length)
        for system in random.sample(sorted(servers), len(servers)):
            pids = [*servers[system].workers(), *place.postgres_processes(), sealer]
            before = cpu_of(pids)
            figures = steady(servers[system], requests, seconds=length, connections=connections)
            used = cpu_of(pids) - before
            if turn:
                yield system, Turn(figures, used * 1000 / max(figures.requests, 1))


@contextmanager
def sealing(place: Place) -> Iterator[int]:
    """What the worker does beside: its work is part of the cost. Yields the process's id."""
    command = [sys.executable, "manage.py", "seal_audit", "--watch"]
    with subprocess.Popen(command, cwd=PROJECT, env={**os.environ, **environment(place)}) as process:  # noqa: S603  # ours
        try:
            yield process.pid
        finally:
            process.terminate()


def _requests(traffic: Traffic, name: str, seconds: float) -> Sequence[Request]:
    """Each booking asks for another time; both databases are asked for the same."""
    return traffic.requests(name, int(BOOKINGS_A_SECOND * max(1.0, seconds)) if name == "booking" else 400)


@contextmanager
def copied(place: Place) -> Iterator[None]:
    """A second database as the first is now, without the triggers that note changes."""
    from django.db import connections

    connections.close_all()
    with place.connect_to("postgres") as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {COPY} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {COPY} TEMPLATE practice OWNER practice_owner".encode())
        connection.execute(f"REVOKE ALL ON DATABASE {COPY} FROM PUBLIC".encode())
        connection.execute(f"GRANT CONNECT ON DATABASE {COPY} TO practice_runtime".encode())
    with place.connect_to(COPY) as connection:
        noted = connection.execute(
            "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE tgname IN"
            " ('audit_insert', 'audit_update', 'audit_delete')"
        ).fetchall()
        for name, table in noted:
            connection.execute(f"DROP TRIGGER {name} ON {table}".encode())
        connection.execute("ANALYZE")
    with place.connect() as connection:
        connection.execute("ANALYZE")
    try:
        yield
    finally:
        with place.connect_to("postgres") as connection:
            connection.execute(f"DROP DATABASE {COPY} WITH (FORCE)".encode())
