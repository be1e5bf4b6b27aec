"""Makes the virtualenv and installs the pinned packages: `python3 config/install.py run|dev|bench`.

Runs before anything is installed and under any Python 3.7 or newer, so it imports the standard library only.
A stamp holding the requirements' hash makes a second run instant; a lock lets two runs wait for each other.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from typing import NoReturn

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.abspath(os.environ.get("VENV") or os.path.join(PROJECT, ".venv"))
UV = "uv==0.13.9"
OLDEST = (3, 11)
REQUIREMENTS = {"run": "requirements.txt", "dev": "requirements-dev.txt", "bench": "requirements-bench.txt"}


def fail(sentence: str) -> NoReturn:
    sys.exit("install: " + sentence)


def find_python() -> str:
    """The interpreter for the virtualenv: this one if it is new enough, else a newer one on the path."""
    if sys.version_info >= OLDEST:
        return sys.executable
    for minor in (13, 12, 11):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    oldest = ".".join(map(str, OLDEST))
    fail(f"Python {oldest} or newer is needed: install it, or name it with PYTHON=/path/to/python3.")


def fingerprint(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def is_current(wanted: str) -> bool:
    """Whether the virtualenv works and already holds these requirements."""
    stamp = os.path.join(VENV, "installed." + wanted)
    try:
        with open(stamp) as file:
            same = file.read() == fingerprint(os.path.join(PROJECT, REQUIREMENTS[wanted]))
    except OSError:
        return False
    return same and os.access(os.path.join(VENV, "bin", "python"), os.X_OK)


def call(command: list[str]) -> str:
    """Run quietly; on failure return what it said last."""
    try:
        done = subprocess.run(  # noqa: S603  # our own commands
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    return "" if done.returncode == 0 else (lines or ["it said nothing"])[-1]


def make_virtualenv() -> None:
    python = find_python()
    problem = call([python, "-m", "venv", "--clear", VENV])
    if problem:
        fail(
            f"The virtualenv {VENV} could not be made ({problem}): install Python's venv module "
            "(Debian: python3-venv), or set VENV to a folder you own."
        )


def install(requirements: str) -> None:
    """With uv, which takes seconds; with plain pip when uv can't be had."""
    inside = os.path.join(VENV, "bin", "python")
    uv = os.path.join(VENV, "bin", "uv")
    pip = [inside, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    has_uv = os.path.exists(uv) or not call([*pip, UV])
    if has_uv and not call([uv, "pip", "install", "-q", "--python", inside, "-r", requirements]):
        return
    problem = call([*pip, "-r", requirements])
    if problem:
        fail(f"The packages of {requirements} could not be installed ({problem}): is the package index reachable?")


def main() -> None:
    wanted = sys.argv[1]
    if is_current(wanted):
        return
    try:
        os.makedirs(VENV, exist_ok=True)
        lock = open(VENV + ".lock", "w")  # noqa: SIM115  # held below
    except OSError as error:
        fail(f"The virtualenv {VENV} can't be written ({error.strerror}): set VENV to a folder you own.")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_current(wanted):
            return
        sys.stderr.write(f"Installing the pinned packages into {VENV} ...\n")
        made = os.path.join(VENV, "made")  # written last, so that a half-made virtualenv is made again
        usable = os.path.exists(made) and not call([os.path.join(VENV, "bin", "python"), "-V"])
        if not usable:
            make_virtualenv()
            open(made, "w").close()
        requirements = os.path.join(PROJECT, REQUIREMENTS[wanted])
        install(requirements)
        with open(os.path.join(VENV, "installed." + wanted), "w") as file:
            file.write(fingerprint(requirements))


if __name__ == "__main__":
    main()
