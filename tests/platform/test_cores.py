"""Web processes share the machine's cores out among them."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROCESS = """
import os, sys
from config import cores
cores.CLAIM = sys.argv[1]
cores.take_one()
print(*sorted(os.sched_getaffinity(0)))
with cores.on_all():
    print(*sorted(os.sched_getaffinity(0)))
print(*sorted(os.sched_getaffinity(0)), flush=True)
input()
"""


def kept_by(process: "subprocess.Popen[str]") -> list[str]:
    """What it kept to, could use meanwhile, and kept to afterwards."""
    assert process.stdout
    return [process.stdout.readline().strip() for _ in range(3)]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_each_process_keeps_to_a_core_while_there_are_any() -> None:
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))]
    every, claim = " ".join(cores), f"test-{uuid4()}"

    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", PROCESS, claim]
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own

    running = [start() for _ in cores]
    assert sorted(map(kept_by, running)) == [[core, every, core] for core in cores]
    with start() as late:
        assert kept_by(late) == [every] * 3
        late.communicate("\n")
    running[0].communicate("\n")
    with start() as next_one:
        assert kept_by(next_one)[0] in cores
        next_one.communicate("\n")
    for process in running[1:]:
        process.communicate("\n")


def test_process_that_may_not_choose_keeps_what_it_has() -> None:
    forbidden = "import os\ndef refuse(*_): raise PermissionError\nos.sched_setaffinity = refuse\n" + PROCESS
    command = [sys.executable, "-c", forbidden, f"test-{uuid4()}"]
    done = subprocess.run(command, cwd=ROOT, input="\n", capture_output=True, text=True, check=True)  # noqa: S603  # our own
    every = " ".join(str(core) for core in sorted(os.sched_getaffinity(0)))
    assert done.stdout.splitlines() == [every] * 3
