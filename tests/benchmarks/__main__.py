"""`make bench ARGS="..."`: see docs/performance.md, or `make bench ARGS=--help`."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict

from tests.benchmarks import audit_cost, audit_verified, dataset, modes
from tests.benchmarks.compare import Plan, compare
from tests.benchmarks.endpoints import BY_NAME, ENDPOINTS, EVERYBODY
from tests.benchmarks.free_times import free_times
from tests.benchmarks.load import require_wrk
from tests.benchmarks.place import Place, Size, close, enter_django, open_place
from tests.benchmarks.report import HEADINGS, comparison_lines, publish
from tests.benchmarks.search import search
from tests.benchmarks.traffic import Traffic

MODES = ("compare", "flat", "free-times", "search", "memory", "workers", "startup", "audit", "seed")


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = _parser().parse_args(arguments)
    require_wrk()
    size = Size(chosen.patients, chosen.appointments, chosen.practices)
    if chosen.mode == "flat":
        sizes = [Size(patients, 4 * patients) for patients in (chosen.small, chosen.large)]
        modes.flat(sizes, rounds=chosen.rounds, seconds=chosen.seconds, into_docs=chosen.publish)
        return
    if chosen.mode == "search":
        search((chosen.small, chosen.large), rounds=chosen.rounds, seconds=chosen.seconds, into_docs=chosen.publish)
        return
    if chosen.mode == "free-times":
        visits = (chosen.small, chosen.large)
        free_times(visits, rounds=chosen.rounds, seconds=chosen.seconds, into_docs=chosen.publish)
        return
    place = open_place(size)
    try:
        enter_django(place)
        dataset.ensure(place, size)
        if chosen.mode != "seed":
            _measure(place, chosen)
    finally:
        close(place)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("mode", nargs="?", choices=MODES, default="compare")
    for name, value in asdict(Size()).items():
        parser.add_argument(f"--{name}", type=int, default=value, help="of the data set (not for flat)")
    parser.add_argument("--endpoints", nargs="+", choices=list(BY_NAME), default=[each.name for each in ENDPOINTS])
    parser.add_argument("--systems", nargs="+", choices=EVERYBODY, default=list(EVERYBODY))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round, whole ones")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1, help="processes of every server")
    parser.add_argument("--events", type=int, default=1_000_000, help="of the log that audit verifies; 0 verifies none")
    parser.add_argument("--minutes", type=float, default=60.0, help="of memory")
    for name, patients in (("small", 10_000), ("large", 1_000_000)):
        parser.add_argument(
            f"--{name}",
            type=int,
            default=patients,
            help="patients of flat (each with four visits) and search, visits of free-times",
        )
    parser.add_argument("--publish", action="store_true", help="write the table into docs/performance.md as well")
    return parser


def _measure(place: Place, chosen: argparse.Namespace) -> None:
    rounds, seconds, connections = chosen.rounds, chosen.seconds, chosen.connections
    into_docs = chosen.publish
    if chosen.mode == "startup":
        modes.startup(place, rounds=rounds, into_docs=into_docs)
        return
    traffic = Traffic(place)
    if chosen.mode == "memory":
        modes.memory(place, traffic, minutes=chosen.minutes, connections=connections, into_docs=into_docs)
    elif chosen.mode == "audit":
        audit_cost.cost(place, traffic, rounds=rounds, seconds=seconds, connections=connections, into_docs=into_docs)
        if chosen.events:
            audit_verified.verified(place, events=chosen.events, rounds=rounds, into_docs=into_docs)
    elif chosen.mode == "workers":
        modes.workers(place, traffic, rounds=rounds, seconds=seconds, connections=connections, into_docs=into_docs)
    else:
        endpoints = [BY_NAME[name] for name in chosen.endpoints]
        plan = Plan(endpoints, chosen.systems, rounds, seconds, connections, chosen.workers)
        found = list(compare(place, traffic, plan))
        data = [each.as_json() for each in found]
        publish(place, "compare", HEADINGS, comparison_lines(found), data, into_docs=into_docs)


if __name__ == "__main__":
    main()
