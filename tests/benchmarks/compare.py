"""The main mode: every endpoint, round after round, all systems in turn and in an order drawn anew each time."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.benchmarks.endpoints import COMPARED, Endpoint
from tests.benchmarks.equality import require_equal
from tests.benchmarks.load import Figures, burst
from tests.benchmarks.measured import Comparison, Round, Summary
from tests.benchmarks.pgbench import Replay, captured
from tests.benchmarks.place import Place, say
from tests.benchmarks.servers import KINDS, Server, serving
from tests.benchmarks.traffic import Request, Traffic

WARM_UP_SECONDS = 1.0
BOOKINGS_A_SECOND = 1500  # more than anybody reaches: a slot is never asked for twice
SESSIONS = 32  # of which 8 connections refresh 8 at a time


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    endpoints: Sequence[Endpoint]
    systems: Sequence[str]
    rounds: int
    seconds: float
    connections: int
    workers: int


@dataclass
class Run:
    """What the rounds of one run share."""

    plan: Plan
    traffic: Traffic
    servers: Mapping[str, Server]
    replays: Mapping[str, Replay]
    random: Random = field(default_factory=lambda: Random("order"))  # noqa: S311  # no secrets

    def measure(self, endpoint: Endpoint) -> Comparison:
        systems = [name for name in self.plan.systems if name in endpoint.systems]
        requests = self.traffic.requests(endpoint.name) if _is_reusable(endpoint) else []
        for name in systems:
            self._burst(endpoint, name, requests, WARM_UP_SECONDS)
        rounds: dict[str, list[Round]] = {name: [] for name in systems}
        for _ in range(self.plan.rounds):
            for name in self.random.sample(systems, len(systems)):
                rounds[name].append(self._round(endpoint, name, requests))
        return Comparison(endpoint, {name: Summary.of(rounds[name]) for name in systems})

    def _round(self, endpoint: Endpoint, name: str, requests: Sequence[Request]) -> Round:
        server = self.servers.get(name)
        before = cpu_seconds(server) if server else 0.0
        figures = self._burst(endpoint, name, requests, self.plan.seconds)
        if not figures.valid:
            say(f"INVALID round: {endpoint.name} of {name}: {figures}")
        used = cpu_seconds(server) - before if server else 0.0
        return Round(figures, used * 1000 / figures.requests if server and figures.requests else None)

    def _burst(self, endpoint: Endpoint, name: str, requests: Sequence[Request], seconds: float) -> Figures:
        if name == "pgbench":
            return self.replays[endpoint.name].run(seconds=seconds, clients=self.plan.connections)
        if not requests:
            count = SESSIONS if endpoint.name == "refresh" else int(BOOKINGS_A_SECOND * max(1.0, seconds))
            requests = self.traffic.requests(endpoint.name, count)
        first = self.random.randrange(len(requests)) if _is_reusable(endpoint) else 0
        return burst(
            self.servers[name].url,
            requests,
            seconds=seconds,
            connections=self.plan.connections,
            first=first,
            script=endpoint.script,
        )


def compare(place: Place, traffic: Traffic, plan: Plan) -> Iterator[Comparison]:
    """Yields each endpoint's comparison as soon as it is measured."""
    replays = captured(place, traffic, plan.endpoints) if "pgbench" in plan.systems else {}
    kinds = [KINDS[name] for name in plan.systems if name in KINDS]
    with serving(kinds, place, workers=plan.workers) as servers:
        wanted = {each.name: COMPARED[each.name] for each in plan.endpoints}
        say(f"{require_equal(servers, traffic, wanted)} answers compared, all equal.")
        run = Run(plan, traffic, servers, replays)
        for endpoint in plan.endpoints:
            say(f"Measuring {endpoint.title} ...")
            yield run.measure(endpoint)


def _is_reusable(endpoint: Endpoint) -> bool:
    """Whether a request may be sent again: a slot and a refresh token are good for one use."""
    return endpoint.name not in {"booking", "refresh"}


def cpu_seconds(server: Server) -> float:
    """What the server's processes have computed so far."""
    return cpu_of(server.workers())


def cpu_of(pids: Sequence[int]) -> float:
    ticks = 0
    for pid in pids:
        try:
            columns = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(columns[11]) + int(columns[12])
    return ticks / os.sysconf("SC_CLK_TCK")
