"""How fast `manage.py verify_audit` reads a log, run as its users run it."""

import re
import subprocess
import sys
from random import Random
from statistics import median
from typing import Any
from uuid import UUID

from tests.benchmarks.place import PROJECT, Place, environment, say
from tests.benchmarks.report import Lines, publish

HEADINGS = ("events", "processes", "events/s", "target")
TARGET = 200_000
SLUG = "audited"
TOGETHER = 500
"""Events of one transaction and one seal."""


def verified(place: Place, *, events: int, rounds: int, into_docs: bool) -> None:
    """In one process, and as many as it takes by itself."""
    _fill(events)
    lines: Lines = []
    data: list[dict[str, Any]] = []
    for shown, arguments in {"1": ["--processes", "1"], "one per core": []}.items():
        rates = [_rate(place, arguments) for _ in range(rounds)]
        rate = median(rates)
        target = "" if arguments else f">= {TARGET:,} {'met' if rate >= TARGET else 'MISSED'}"
        lines.append((f"{events:,}", shown, f"{rate:,.0f}", target))
        data.append({"processes": shown, "rates": rates})
    publish(place, "verified", HEADINGS, lines, data, into_docs=into_docs)


def _rate(place: Place, arguments: list[str]) -> int:
    command = [sys.executable, "manage.py", "verify_audit", "--practice", SLUG, *arguments]
    done = subprocess.run(  # noqa: S603  # ours
        command, cwd=PROJECT, env={"PATH": "", **environment(place)}, capture_output=True, text=True, check=False
    )
    said = re.search(r"\(([\d,]+)/s\)", done.stdout)
    if done.returncode or said is None:
        raise SystemExit(f"bench: verify_audit found something or failed:\n{done.stdout}{done.stderr}")
    return int(said[1].replace(",", ""))


def _fill(events: int) -> None:
    """A practice of its own, in whose log reads of lists and charts, and changes, are as frequent as in a real one."""
    from audit import anchoring, recording, sealing
    from practices.services import create_practice
    from practices.tenancy import Actor, practice_scope

    practice = create_practice(by=Actor.system("bench"), slug=SLUG, name="Audited", time_zone="UTC")
    random = Random(SLUG)  # noqa: S311  # the same rows every time, no secrets
    people, patients = ([UUID(int=random.getrandbits(128), version=4) for _ in range(count)] for count in (25, 20_000))
    say(f"{events:,} events are written.")
    for start in range(0, events, TOGETHER):
        actor = Actor.user(random.choice(people), ("front_desk",), "")
        with practice_scope(practice, actor=actor, request_id=f"{random.getrandbits(128):032x}", ip="192.0.2.7"):
            for _ in range(min(TOGETHER, events - start)):
                _record(recording.record, random, patients)
        sealing.seal(practice.pk)
    anchoring.anchor(sealing.heads())


def _record(record: Any, random: Random, patients: list[UUID]) -> None:
    patient = random.choice(patients)
    kind = random.random()
    if kind < 0.1:
        record("read", "patients.patient", patient_ids=random.sample(patients, 20))
    elif kind < 0.85:
        record("read", "patients.patient", patient, patient_ids=[patient])
    else:
        record("denied", "patients.patient", patient, patient_ids=[patient])
