"""One burst of load: `wrk`, in a process of its own, which costs little beside what it measures."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.traffic import Request, lines

SCRIPTS = Path(__file__).parent / "lua"


@dataclass(frozen=True)
class Figures:
    """What one burst saw. `refused` counts answers from 400 on, `broken` connections that failed."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int = 0
    broken: int = 0

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def valid(self) -> bool:
        return self.requests > 0 and not self.refused and not self.broken


def require_wrk() -> str:
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("bench: wrk is not installed: `apt-get install wrk` (Debian) or `brew install wrk`.")
    return found


def burst(
    url: str, requests: Sequence[Request], *, seconds: float, connections: int, first: int = 0, script: str = "requests"
) -> Figures:
    """Sends the requests in turn, beginning with number `first`; whole seconds are wrk's smallest unit."""
    with tempfile.NamedTemporaryFile("w", suffix=".requests") as file:
        file.write(lines(requests))
        file.flush()
        command = [require_wrk(), "--threads", "1", "--connections", str(connections)]
        command += ["--duration", f"{max(1, round(seconds))}s", "--timeout", "20s"]
        command += ["--script", str(SCRIPTS / f"{script}.lua"), url, "--", file.name, str(first % len(requests))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own command
    for line in done.stdout.splitlines():
        if line.startswith("FIGURES "):
            return Figures(**json.loads(line.removeprefix("FIGURES ")))
    raise SystemExit(f"bench: wrk failed: {(done.stderr or done.stdout).strip()[-500:]}")
