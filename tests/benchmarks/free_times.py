"""Free times of a big practice: two weeks of 20 providers, and the next time of all 40, few visits against many.

In the same run django-appointment is asked the same, in turn, on tables of its own in the same PostgreSQL.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from statistics import median
from typing import Any
from urllib.parse import urlencode

from tests.benchmarks import clinic
from tests.benchmarks.compare import cpu_seconds
from tests.benchmarks.load import Figures, burst
from tests.benchmarks.place import PROJECT, Place, close, enter_django, say
from tests.benchmarks.report import publish
from tests.benchmarks.servers import OURS, Server, serving
from tests.benchmarks.traffic import Request, Traffic, midnight

TITLES = {"free": "two weeks of 20 providers", "next": "next of 40 providers"}
TARGETS = {"free": 25.0, "next": 15.0}
FLAT_TARGET = 1.3
HEADINGS = (
    *("question", "few visits: p50 ms", "many: p50 ms", "ratio", "many: CPU ms"),
    *("django-appointment: ms", "its statements", "target"),
)
Asked = dict[str, list[Request]]


def prepare(visits: int) -> Asked:
    """In a process of its own, since one can enter only one data set: seeds it, and returns what to ask of it."""
    place = clinic.open_clinic(visits)
    enter_django(place)
    clinic.ensure(place, visits)
    practice = Traffic(place).practices[0]
    days = [midnight() + timedelta(days=number) for number in range(2, 22)]

    def ask(path: str, **query: Any) -> Request:
        asked = {"appointment_type": practice.types[0], **query}
        return Request("GET", f"/api/v1/free-times{path}?{urlencode(asked)}", practice.token)

    weeks = [(day.isoformat(), (day + timedelta(days=14)).isoformat()) for day in days]
    houses = practice.locations[: clinic.HOUSES]
    return {
        "free": [ask("", location=house, **{"from": since, "to": to}) for since, to in weeks for house in houses],
        "next": [ask("/next", **{"from": since}) for since, _ in weeks],
    }


def free_times(sizes: Sequence[int], *, rounds: int, seconds: float, into_docs: bool) -> None:
    places = [clinic.open_clinic(visits) for visits in sizes]
    try:
        with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            asked = [pool.apply(prepare, [visits]) for visits in sizes]
        enter_django(places[0])
        _measure(places, sizes, asked, rounds=rounds, seconds=seconds, into_docs=into_docs)
    finally:
        for place in places:
            close(place)


def _measure(
    places: Sequence[Place],
    sizes: Sequence[int],
    asked: Sequence[Asked],
    *,
    rounds: int,
    seconds: float,
    into_docs: bool,
) -> None:
    small, large = places
    found = {name: Found() for name in TITLES}
    with serving([OURS], small, workers=1) as of_small, serving([OURS], large, workers=1) as of_large:
        url = _tables_of_their_own(large)  # the servers' start gave that login another password
        for _ in range(rounds):
            for name, answers in found.items():
                _burst(of_small["ours"], asked[0][name], seconds, answers.small, [])
                _burst(of_large["ours"], asked[1][name], seconds, answers.large, answers.cpu)
            for name, theirs in _ask_django_appointment(url, sizes[-1]).items():
                found[name].theirs += theirs["ms"]
                found[name].statements = theirs["statements"]
    lines = [(TITLES[name], *answers.cells(TARGETS[name])) for name, answers in found.items()]
    publish(
        large, "free-times", HEADINGS, lines, {name: asdict(each) for name, each in found.items()}, into_docs=into_docs
    )


@dataclass
class Found:
    """Milliseconds, a figure a round."""

    small: list[float] = field(default_factory=list)
    large: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    statements: int = 0

    def cells(self, target: float) -> tuple[str, ...]:
        before, after = median(self.small), median(self.large)
        ratio = after / before
        met = (
            _verdict(f"<= {target:.0f} ms", after <= target),
            _verdict(f"flat <= {FLAT_TARGET}", ratio <= FLAT_TARGET),
        )
        ours = (f"{before:.1f}", f"{after:.1f}", f"{ratio:.2f}", f"{median(self.cpu):.1f}")
        return *ours, f"{median(self.theirs):,.0f}", f"{self.statements:,}", ", ".join(met)


def _burst(server: Server, requests: Sequence[Request], seconds: float, p50: list[float], cpu: list[float]) -> None:
    _valid(burst(server.url, requests, seconds=1, connections=1))
    before = cpu_seconds(server)
    figures = _valid(burst(server.url, requests, seconds=seconds, connections=1))
    p50.append(figures.p50_ms)
    cpu.append((cpu_seconds(server) - before) * 1000 / figures.requests)


def _valid(figures: Figures) -> Figures:
    if not figures.valid:
        raise SystemExit(f"bench: free times were refused: {figures}")
    return figures


def _verdict(words: str, met: bool) -> str:
    return f"{words} {'met' if met else 'MISSED'}"


def _tables_of_their_own(place: Place) -> str:
    """The address of a database for django-appointment, which is made the first time."""
    login = place.peer_url()
    with place.connect() as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = 'django_appointment'").fetchone() is None:
            connection.execute("CREATE DATABASE django_appointment OWNER bench_peer")
    return f"{login.rpartition('/')[0]}/django_appointment"


def _ask_django_appointment(url: str, visits: int) -> Any:
    say("Asking django-appointment ...")
    done = subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "-m", "tests.benchmarks.django_appointment", str(visits), "1"],
        cwd=PROJECT,
        env={**os.environ, "DJANGO_APPOINTMENT_URL": url},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])
