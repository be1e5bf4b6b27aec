"""Each web process keeps to one core.

Its threads take turns at Python anyway; where each turn may be on another core, it finds cold caches there and first
wakes it up. On two virtual cores that cost a third of the requests per second.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CLAIM = "practice-web-core"
_given: set[int] = set()
"""The cores that the process had; empty when it has kept them."""
_claims: list[socket.socket] = []


def take_one() -> None:
    """Takes a core that no other web process of this machine has. To be called before there are threads.

    Changes nothing where all are taken, on one core, where it isn't allowed, and off Linux. Containers don't see each
    other's claims.
    """
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
    for core in sorted(cores) if len(cores) > 1 else ():
        if _claimed(core):
            with suppress(OSError):  # a sandbox may forbid it
                os.sched_setaffinity(0, {core})
                _given.update(cores)
            return


@contextmanager
def on_all() -> Iterator[None]:
    """This thread, and those that it starts, may use the others too: for long work outside Python."""
    if not _given:
        yield
        return
    kept = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _given)
    try:
        yield
    finally:
        os.sched_setaffinity(0, kept)


def _claimed(core: int) -> bool:
    """By a name that only one process can have, until it ends, however it ends."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0{CLAIM}-{core}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True
