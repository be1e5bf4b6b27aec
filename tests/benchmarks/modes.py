"""What else is promised: flat with size, little memory, a second worker that counts, a quick start."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks import dataset
from tests.benchmarks.load import Figures, burst
from tests.benchmarks.place import PROJECT, Place, Size, close, enter_django, environment, open_place, say
from tests.benchmarks.report import Lines, publish
from tests.benchmarks.servers import OURS, Server, serving
from tests.benchmarks.traffic import Request, Traffic

FLAT = {
    "list": "list of 50 patients",
    "person": "search for somebody's whole name",
    "provider_day": "a provider's day",
    "location_day": "a location's day",
}
FLAT_TARGET, MEMORY_TARGET_MIB, WORKERS_TARGET, START_TARGET = 1.2, 150.0, 1.8, 2.0


def steady(server: Server, requests: Sequence[Request], *, seconds: float, connections: int) -> Figures:
    figures = burst(server.url, requests, seconds=seconds, connections=connections)
    if not figures.valid:
        say(f"INVALID round: {requests[0].path}: {figures}")
    return figures


def prepare(size: Size) -> dict[str, list[Request]]:
    """In a process of its own, since one can enter only one data set: seeds it, and returns what to ask of it."""
    place = open_place(size)
    enter_django(place)
    dataset.ensure(place, size)
    traffic = Traffic(place)
    return {name: traffic.requests(name) for name in FLAT}


def flat(sizes: Sequence[Size], *, rounds: int, seconds: float, into_docs: bool) -> None:
    """The same requests, one at a time, of a small and a large data set in turn; p50 must hardly differ."""
    small, large = places = [open_place(size) for size in sizes]
    try:
        with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            asked = [pool.apply(prepare, [size]) for size in sizes]
        enter_django(small)
        _flat(small, large, asked, rounds=rounds, seconds=seconds, into_docs=into_docs)
    finally:
        for place in places:
            close(place)


def _flat(
    small: Place,
    large: Place,
    asked: Sequence[Mapping[str, Sequence[Request]]],
    *,
    rounds: int,
    seconds: float,
    into_docs: bool,
) -> None:
    with serving([OURS], small, workers=1) as of_small, serving([OURS], large, workers=1) as of_large:
        servers = (of_small["ours"], of_large["ours"])
        lines: Lines = []
        data = []
        for name in FLAT:
            for server, requests in zip(servers, asked, strict=True):
                steady(server, requests[name], seconds=1, connections=1)
            p50: list[list[float]] = [[], []]
            for _ in range(rounds):
                for found, server, requests in zip(p50, servers, asked, strict=True):
                    found.append(steady(server, requests[name], seconds=seconds, connections=1).p50_ms)
            before, after = median(p50[0]), median(p50[1])
            ratio = after / before if before else 0.0
            data.append({"endpoint": name, "small_ms": before, "large_ms": after, "ratio": ratio})
            met = "met" if ratio <= FLAT_TARGET else "MISSED"
            lines.append((FLAT[name], f"{before:.2f}", f"{after:.2f}", f"{ratio:.2f}", f"<= {FLAT_TARGET} {met}"))
    headings = ("endpoint", "small: p50 ms", "large: p50 ms", "ratio", "target")
    publish(large, "flat", headings, lines, data, into_docs=into_docs)


def memory(place: Place, traffic: Traffic, *, minutes: float, connections: int, into_docs: bool) -> None:
    """Resident memory of the largest process of a server with one worker, under all reads in turn."""
    lines: Lines = []
    data: list[dict[str, float]] = []
    with serving([OURS], place, workers=1, quiet=True) as servers:
        server, began, told = servers["ours"], time.monotonic(), -1.0
        while (elapsed := (time.monotonic() - began) / 60) < minutes or not data:
            for name in (*FLAT, "search", "detail", "free_times"):
                steady(server, traffic.requests(name), seconds=2, connections=connections)
            size = max(resident_mib(pid) for pid in server.workers())
            data.append({"minute": elapsed, "mib": size})
            if elapsed // 10 > told:
                told = elapsed // 10
                lines.append((f"{elapsed:.0f}", f"{size:.0f}", ""))
    met = "met" if data[-1]["mib"] <= MEMORY_TARGET_MIB else "MISSED"
    lines.append((f"{data[-1]['minute']:.0f}", f"{data[-1]['mib']:.0f}", f"<= {MEMORY_TARGET_MIB:.0f} {met}"))
    publish(place, "memory", ("minute", "MiB of a worker", "target"), lines, data, into_docs=into_docs)


def resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def workers(place: Place, traffic: Traffic, *, rounds: int, seconds: float, connections: int, into_docs: bool) -> None:
    """Two workers to one, in turn; where PostgreSQL and wrk need the second core themselves, less than twice."""
    found: tuple[list[float], list[float]] = ([], [])
    with serving([OURS], place, workers=1) as one, serving([OURS], place, workers=2) as two:
        for _ in range(rounds):
            for rates, server in zip(found, (one["ours"], two["ours"]), strict=True):
                figures = steady(server, traffic.requests("list"), seconds=seconds, connections=connections)
                rates.append(figures.per_second)
    single, double = median(found[0]), median(found[1])
    ratio = double / single if single else 0.0
    met = "met" if ratio >= WORKERS_TARGET else "MISSED"
    line = (f"{single:,.0f}", f"{double:,.0f}", f"{ratio:.2f}", f">= {WORKERS_TARGET} {met}")
    headings = ("1 worker: requests/s", "2 workers: requests/s", "ratio", "target")
    publish(place, "workers", headings, [line], {"one": single, "two": double, "ratio": ratio}, into_docs=into_docs)


def startup(place: Place, *, rounds: int, into_docs: bool) -> None:
    """From the start of the process to the first answer, and of that what importing the application takes."""
    answered, imported = [], []
    for _ in range(rounds):
        with serving([OURS], place, workers=1) as servers:
            answered.append(servers["ours"].started_in)
        imported.append(_import_seconds(place))
    first, importing, computing = median(answered), *(median(each) for each in zip(*imported, strict=True))
    met = "met" if first <= START_TARGET else "MISSED"
    line = (f"{first:.2f}", f"{importing:.2f}", f"{computing:.2f}", f"<= {START_TARGET} {met}")
    data: Any = {"answers_after": answered, "import": imported}
    headings = ("seconds to the first answer", "seconds to import", "of these computing", "target")
    publish(place, "startup", headings, [line], data, into_docs=into_docs)


def _import_seconds(place: Place) -> tuple[float, float]:
    """On the clock, and of the processor, which other programs on the machine disturb less."""
    timed = (
        "import time; began = time.perf_counter(); import config.asgi;"
        "print(time.perf_counter() - began, time.process_time())"
    )
    done = subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "-c", timed],
        cwd=PROJECT,
        env={"PATH": "", **environment(place), "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    clock, processor = done.stdout.splitlines()[-1].split()
    return float(clock), float(processor)
