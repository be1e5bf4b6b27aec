import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from audit import anchoring, sealing

SECONDS = 1.0
"""As often as the worker does."""


class Command(BaseCommand):
    help = (
        "Seals what is in the audit log and not yet sealed, raises changes that no event tells, and anchors the heads. "
        "The worker does the same all the time; any number may run at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--watch", action="store_true", help="go on until stopped")

    def handle(self, *args: Any, **options: Any) -> None:
        made = sealing.seal_all() + sealing.seal_platform()
        anchored = anchoring.anchor(sealing.heads())
        self.stdout.write(f"{made} seals made; heads {'anchored' if anchored else 'as anchored before'}.")
        while options["watch"]:
            time.sleep(SECONDS)
            sealing.seal_all()
            sealing.seal_platform()
