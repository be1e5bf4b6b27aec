import time
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from practices.encryption import keys, personal, rotation
from practices.models import Practice
from practices.tenancy import platform_scope, practice_scope


class Command(BaseCommand):
    help = (
        "Wraps every practice's keys and every user's secret in the first of FIELD_ENCRYPTION_KEYS, after which the "
        "others can be removed. "
        "With --data also gives each practice a new data key and re-encrypts its fields. Safe while serving; "
        "start it again after an interruption and it goes on where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data", action="store_true", help="re-encrypt the fields under new data keys")
        parser.add_argument("--practice", metavar="SLUG", help="only this practice, and no user")
        parser.add_argument(
            "--batch-size", type=int, default=500, metavar="N", help="rows locked at once (default 500)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        practices = _practices(options["practice"])
        with Progress(console=Console(file=self.stdout)) as progress:  # type: ignore[arg-type]  # has write and flush
            rewrapped = _rewrap(practices, progress)
            secrets = 0 if options["practice"] else _rewrap_secrets(options["batch_size"])
            rotations = _rotate(practices, progress, options["batch_size"]) if options["data"] else []
        self.stdout.write(f"{rewrapped} keys rewrapped.")
        self.stdout.write(f"{secrets} secrets of users rewrapped.")
        if options["data"]:
            rows, destroyed = sum(each.rows for each in rotations), sum(each.destroyed for each in rotations)
            self.stdout.write(
                f"{rows} values re-encrypted in {len(rotations)} practices; {destroyed} old keys destroyed."
            )
        if unreadable := sum(len(each.unreadable) for each in rotations):
            raise CommandError(f"{unreadable} values can't be decrypted and were left alone, and so were their keys.")


def _practices(slug: str | None) -> list[UUID]:
    with platform_scope(actor=rotation.ACTOR):
        rows = Practice.objects.filter(slug=slug) if slug else Practice.objects.all()
        found = list(rows.order_by("id").values_list("pk", flat=True))
    if slug and not found:
        raise CommandError(f"There is no practice {slug}.")
    return found


def _rewrap(practices: list[UUID], progress: Progress) -> int:
    rewrapped = 0
    for practice_id in progress.track(practices, description="Wrapping keys"):
        with practice_scope(practice_id, actor=rotation.ACTOR):
            rewrapped += keys.rewrap()
    return rewrapped


def _rewrap_secrets(batch_size: int) -> int:
    rewrapped = 0
    for secret in personal.personal_secrets():
        last: UUID | None = UUID(int=0)
        while last is not None:
            with platform_scope(actor=rotation.ACTOR):
                done, last = personal.rewrap_batch(secret, after=last, size=batch_size)
            rewrapped += done
    return rewrapped


def _rotate(practices: list[UUID], progress: Progress, batch_size: int) -> list[rotation.Rotation]:
    """Twice through all: the second time for what other processes wrote while they still had the old key in memory."""
    rotations = [each for practice_id in practices if (each := rotation.begin(practice_id))]
    began = time.monotonic()
    task = progress.add_task("Re-encrypting", total=sum(rotation.remaining(each) for each in rotations))
    for each in rotations:
        rotation.reencrypt(each, batch_size=batch_size, on_rows=lambda rows: progress.advance(task, rows))
    time.sleep(max(0.0, began + keys.KEY_CACHE_SECONDS + 1 - time.monotonic()) if rotations else 0)
    for each in rotations:
        rotation.reencrypt(each, batch_size=batch_size, on_rows=lambda rows: progress.advance(task, rows))
        rotation.finish(each)
    return rotations
