"""Rounds summed up: medians, and the ratios that the targets are about."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from tests.benchmarks.endpoints import Endpoint
from tests.benchmarks.load import Figures


@dataclass(frozen=True)
class Round:
    """One burst against one system. `cpu_ms` is what its processes computed for a request; None for pgbench."""

    figures: Figures
    cpu_ms: float | None


@dataclass(frozen=True)
class Summary:
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float | None
    invalid: int
    """Rounds in which an answer was no 2xx or a connection broke; they count for nothing."""

    @classmethod
    def of(cls, rounds: Sequence[Round]) -> "Summary":
        good = [each for each in rounds if each.figures.valid]
        if not good:
            return cls(0.0, 0.0, 0.0, None, len(rounds))
        cpu = [each.cpu_ms for each in good if each.cpu_ms is not None]
        return cls(
            per_second=median(each.figures.per_second for each in good),
            p50_ms=median(each.figures.p50_ms for each in good),
            p99_ms=median(each.figures.p99_ms for each in good),
            cpu_ms=median(cpu) if cpu else None,
            invalid=len(rounds) - len(good),
        )


@dataclass(frozen=True)
class Comparison:
    endpoint: Endpoint
    systems: dict[str, Summary]

    def ratio(self, other: str) -> float | None:
        """Ours to the other's, in requests per second."""
        mine, theirs = self.systems.get("ours"), self.systems.get(other)
        return mine.per_second / theirs.per_second if mine and theirs and theirs.per_second else None

    def cpu_ratio(self) -> float | None:
        """The peer's computing time per request to ours: the ratio that neighbours on the machine disturb least."""
        mine, theirs = self.systems.get("ours"), self.systems.get("peer")
        return theirs.cpu_ms / mine.cpu_ms if mine and theirs and mine.cpu_ms and theirs.cpu_ms else None

    def verdicts(self) -> list[tuple[str, bool]]:
        """Each target of the endpoint, in words, and whether it is met."""
        found = []
        to_peer, to_pgbench = self.ratio("peer"), self.ratio("pgbench")
        if self.endpoint.target and to_peer is not None:
            found.append((f">= {self.endpoint.target:.1f}x peer", to_peer >= self.endpoint.target))
        if self.endpoint.of_pgbench and to_pgbench is not None:
            found.append((f">= {self.endpoint.of_pgbench:.0%} of pgbench", to_pgbench >= self.endpoint.of_pgbench))
        if self.endpoint.target and to_peer is not None:
            found.append(("p99 <= peer's", self.systems["ours"].p99_ms <= self.systems["peer"].p99_ms))
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "endpoint": self.endpoint.name,
            "systems": {name: asdict(summary) for name, summary in self.systems.items()},
            "ratio_to_peer": self.ratio("peer"),
            "cpu_ratio_to_peer": self.cpu_ratio(),
            "ratio_to_drf": self.ratio("drf"),
            "ratio_to_pgbench": self.ratio("pgbench"),
            "targets": dict(self.verdicts()),
        }
