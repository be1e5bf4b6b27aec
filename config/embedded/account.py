"""Which system account runs the services, and where that account can reach files.

PostgreSQL refuses to run as root. As an ordinary user everything runs as that user; as root it runs as an
unprivileged account, which often can't enter root's home folder, where the virtualenv or the state folder may lie.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from config.embedded.errors import EmbeddedError

ROOTS_PLACE = Path("/var/lib/practice-backend")


@dataclass(frozen=True)
class Account:
    """The account that runs the services; `uid` is None when it is the one we run as."""

    uid: int | None = None
    gid: int | None = None

    def run(self, command: list[str], *, typed: str = "", capture: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command as this account, outside our terminal's process group, so that Ctrl-C doesn't reach it.

        A command that leaves a server behind must not be captured: the server would keep the pipe open.
        """
        return subprocess.run(  # noqa: S603  # only our own commands
            command,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            cwd="/",
            input=typed,
            stdout=subprocess.PIPE if capture else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if capture else subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            check=False,
        )

    def can_enter(self, path: Path) -> bool:
        """Whether the account can pass through every existing folder down to `path`."""
        if self.uid is None:
            return True
        existing = next(folder for folder in [path, *path.parents] if folder.exists())
        return self.run(["/usr/bin/env", "test", "-x", str(existing)]).returncode == 0

    def own(self, path: Path) -> None:
        if self.uid is not None:
            os.chown(path, self.uid, self.gid or self.uid)

    def reachable_copy(self, package_folders: list[Path]) -> Path:
        """The folder that holds these package folders: their own when it can be entered, else a copy made once."""
        origin = package_folders[0].parent
        if self.can_enter(package_folders[0]):
            return origin
        built = max(folder.stat().st_mtime_ns for folder in package_folders)
        copy = ROOTS_PLACE / "packages" / _short_hash(f"{origin}:{package_folders[0].name}:{built}")
        if not copy.exists():
            unfinished = copy.with_suffix(f".{os.getpid()}")
            for folder in package_folders:
                shutil.copytree(folder, unfinished / folder.name, symlinks=True)
            unfinished.rename(copy)
        return copy

    def reachable_state(self, state_dir: Path) -> Path:
        """`state_dir` when the account can enter it, else a folder of its own for this state folder."""
        if self.can_enter(state_dir):
            return state_dir
        place = ROOTS_PLACE / "state" / _short_hash(str(state_dir))
        place.mkdir(parents=True, exist_ok=True, mode=0o711)
        return place


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def choose_account(state_dir: Path) -> Account:
    """Ourselves, or as root: whoever already owns the state's data, else `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return Account()
    for folder in (state_dir / "postgres", state_dir / "valkey"):
        if folder.exists() and folder.stat().st_uid != 0:
            return Account(folder.stat().st_uid, folder.stat().st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedError("PostgreSQL can't run as root and neither account 'postgres' nor 'nobody' exists: add one.")
