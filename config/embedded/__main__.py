"""`python -m config.embedded start|stop|status|run -- COMMAND...`, for the state folder in STATE_DIR.

With ENVIRONMENT=test it is the folder's `test/`, with services that trade safety for speed, as in the settings.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from config import embedded

PROJECT = Path(__file__).resolve().parent.parent.parent


def _run(state_dir: Path, command: list[str], *, durable: bool) -> int:
    """Run a command with the URLs in its environment; stop on exit what was not running before."""
    services = embedded.ensure(state_dir, durable=durable)
    try:
        child = subprocess.Popen(command, env={**os.environ, **services.environment})  # noqa: S603  # the caller's own
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _frame: child.send_signal(received))
        return child.wait()
    except FileNotFoundError:
        raise embedded.EmbeddedError(f"There is no command {command[0]}.") from None
    finally:
        embedded.stop(state_dir, services.started)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description=__doc__)
    parser.add_argument("action", choices=["start", "stop", "status", "run"])
    parser.add_argument("command", nargs="*")
    chosen = parser.parse_args()
    testing = os.environ.get("ENVIRONMENT") == "test"
    state_dir = Path(os.environ.get("STATE_DIR") or PROJECT / ".state") / ("test" if testing else "")
    durable = not testing
    if chosen.action == "run":
        return _run(state_dir, chosen.command, durable=durable)
    if chosen.action == "stop":
        embedded.stop(state_dir)
    elif chosen.action == "start":
        services = embedded.ensure(state_dir, durable=durable)
        sys.stdout.writelines(f"{name}={value}\n" for name, value in services.environment.items())
    else:
        running = embedded.status(state_dir)
        sys.stdout.writelines(f"{name}: {'running' if up else 'stopped'}\n" for name, up in running.items())
        return 0 if all(running.values()) else 3
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except embedded.EmbeddedError as error:
        sys.exit(f"{error}")
