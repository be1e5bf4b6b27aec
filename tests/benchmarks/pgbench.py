"""What PostgreSQL itself can do: the statements that our server sent for a request, sent again by `pgbench`.

They are read from PostgreSQL's log, so nothing is retyped and the transaction is the very one: context, identity,
page, audit. Ids that were made during the request get other last digits each time. Writes end in ROLLBACK, since a slot
can be booked and a token be renewed only once: that spares them the flush at commit.
"""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from tests.benchmarks.dataset import forget
from tests.benchmarks.endpoints import Endpoint
from tests.benchmarks.equality import send
from tests.benchmarks.load import Figures
from tests.benchmarks.place import Place, say
from tests.benchmarks.servers import OURS, Server, serving
from tests.benchmarks.traffic import Traffic

CAPTURED = 8
"""Requests of each endpoint, of as many practices; pgbench picks one of them for each transaction."""
STATEMENT = re.compile(r"^\S+ \S+ \S+ \[(?P<process>\d+)\] (?P<kind>LOG|DETAIL):  (?P<text>.*)$")
COMMIT = re.compile(r"(?:^|(?<=;))COMMIT;$", re.MULTILINE)
"""By itself, or in one message with the statements that end the transaction."""
ID = re.compile(r"\b[0-9a-f]{8}-?[0-9a-f]{4}-?7[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}\b")


@dataclass(frozen=True)
class Replay:
    """The scripts of one endpoint."""

    place: Place
    scripts: Sequence[str]

    def run(self, *, seconds: float, clients: int) -> Figures:
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, script in enumerate(self.scripts):
                files.append(Path(folder) / f"{number}.sql")
                files[-1].write_text(script)
            command = [str(self.place.binaries / "pgbench"), "--no-vacuum", "--protocol=simple", "--log"]
            command += [
                f"--log-prefix={folder}/took",
                f"--client={clients}",
                "--jobs=1",
                f"--time={max(1, round(seconds))}",
            ]
            command += [f"--file={file}" for file in files]
            started = time.monotonic()
            done = subprocess.run(  # noqa: S603  # PostgreSQL's own program
                [*command, self.place.services.database_url],
                env={**os.environ, "PGOPTIONS": _context()},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise SystemExit(f"bench: pgbench failed: {done.stderr.strip()[-800:]}")
            elapsed = time.monotonic() - started
            return _figures(Path(folder), min(elapsed, max(1, round(seconds))))


def _context() -> str:
    from django.conf import settings

    return str(settings.DATABASES["default"]["OPTIONS"]["options"])


def _figures(folder: Path, seconds: float) -> Figures:
    """Of pgbench's own log: the third column is a transaction's time in microseconds."""
    took = sorted(
        int(line.split()[2]) for log in folder.glob("took.*") for line in log.read_text().splitlines() if line.strip()
    )
    if not took:
        return Figures(0, seconds, 0.0, 0.0)
    p50, p99 = (took[min(len(took) - 1, int(len(took) * share))] / 1000 for share in (0.5, 0.99))
    return Figures(len(took), seconds, p50, p99)


def captured(place: Place, traffic: Traffic, endpoints: Iterable[Endpoint]) -> dict[str, Replay]:
    """Asks a server of our own whose sessions log every statement."""
    replays = {}
    say("Reading the statements of each request ...")
    began = datetime.now(UTC)
    place.log_statements(True)
    try:
        with serving([OURS], place, workers=1) as servers:
            for endpoint in endpoints:
                if "pgbench" in endpoint.systems:
                    replays[endpoint.name] = Replay(place, _capture(place, servers["ours"], traffic, endpoint))
    finally:
        place.log_statements(False)
    _undo_writes(place, began)
    return replays


def _undo_writes(place: Place, since: datetime) -> None:
    """What was captured is free to be booked and renewed again."""
    with place.connect() as connection:
        forget(connection, since, but={"accounts_refreshsession"})
        renewed = "UPDATE accounts_refreshsession SET generation = 1 WHERE rotated_at >= %s AND generation > 1"
        connection.execute(renewed, [since])


def _capture(place: Place, server: Server, traffic: Traffic, endpoint: Endpoint) -> list[str]:
    scripts = []
    for request in traffic.requests(endpoint.name, CAPTURED):
        if endpoint.name not in {"booking", "refresh"}:
            send(server, request)  # so that keys and compiled SQL are in memory, as in a server under load
        begin = place.postgres_log.stat().st_size
        sent_at = int(time.time() * 1000)
        send(server, request)
        with place.postgres_log.open() as log:
            log.seek(begin)
            statements = parse(log.read().splitlines())
        scripts.append(script(statements, sent_at, rollback=request.method != "GET"))
    return scripts


def parse(log: Iterable[str]) -> list[str]:
    """The statements of PostgreSQL's log in order, those of many lines put together, parameters filled in."""
    entries: list[tuple[str, str]] = []
    for line in log:
        found = STATEMENT.match(line)
        if found:
            entries.append((found["kind"], found["text"]))
        elif entries and line.startswith("\t"):
            entries[-1] = (entries[-1][0], f"{entries[-1][1]}\n{line[1:]}")
    statements: list[str] = []
    for kind, text in entries:
        said, _, statement = text.partition(": ")
        if kind == "LOG" and (said == "statement" or said.startswith("execute")) and statement.strip():
            statements.append(statement.strip())
        elif kind == "DETAIL" and statements and said.lower() == "parameters":
            statements[-1] = _filled(statements[-1], statement)
    return statements


def _filled(statement: str, parameters: str) -> str:
    """`$1 = 'a', $2 = NULL` put into the statement; numbers from behind, so that $1 isn't found in $10."""
    values = re.findall(r"\$(\d+) = (NULL|'(?:[^']|'')*')", parameters)
    for number, value in sorted(values, key=lambda pair: -int(pair[0])):
        statement = re.sub(rf"\${number}\b", value.replace("\\", r"\\"), statement)
    return statement


def script(statements: Iterable[str], sent_at: int, *, rollback: bool) -> str:
    """One pgbench script. A UUIDv7 begins with the millisecond it was made in: those since `sent_at` are new."""
    text = ";\n".join(statement.rstrip(";") for statement in statements) + ";\n"
    ids = dict.fromkeys(UUID(each) for each in ID.findall(text))
    head = ""
    for number, each in enumerate(each for each in ids if each.int >> 80 >= sent_at):
        head += f"\\set a{number} random(100000000000, 999999999999)\n\\set b{number} random(100, 999)\n"
        text = text.replace(str(each), f"{str(each)[:20]}:b{number}-:a{number}")
        text = text.replace(each.hex, f"{each.hex[:17]}:b{number}:a{number}")
    return head + (COMMIT.sub("ROLLBACK;", text) if rollback else text)
