from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress as Bar

from patients.imports import Duplicates, ImportRefused, Mode, Options, Progress, run
from patients.imports.reading import FIELDS
from practices.models import Practice
from practices.tenancy import Actor, platform_scope

ACTOR = Actor.system("import_patients")
SHOWN = 20


class Command(BaseCommand):
    help = (
        "Creates patients out of a CSV file (UTF-8, with headings). Without --apply it only says what would happen. "
        f"Fields are {', '.join(FIELDS)}."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--practice", metavar="SLUG", required=True)
        parser.add_argument("--apply", action="store_true", help="create them; otherwise it is a trial run")
        parser.add_argument("--map", action="append", default=[], metavar="HEADING=FIELD", help="may be repeated")
        parser.add_argument("--valid-rows", action="store_true", help="create what is sound, not all or nothing")
        parser.add_argument(
            "--duplicates",
            choices=[str(each) for each in Duplicates],
            default=str(Duplicates.REFUSE),
            help="what becomes of likely duplicates (default: refuse)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        practice = practice_called(options["practice"])
        wanted = Options(
            mapping=_mapping(options["map"]),
            dry_run=not options["apply"],
            mode=Mode.VALID_ROWS if options["valid_rows"] else Mode.ALL_OR_NOTHING,
            duplicates=Duplicates(options["duplicates"]),
        )
        errors: list[tuple[int, str, str]] = []
        with Bar(console=Console(file=self.stdout)) as bar:  # type: ignore[arg-type]  # has write and flush
            task = bar.add_task(path.name, total=_lines(path))

            def report(progress: Progress) -> None:
                errors.extend(progress.errors[: SHOWN - len(errors)])
                bar.update(task, completed=progress.rows)

            try:
                done = run(
                    lambda: _opened(path),
                    practice_id=practice.pk,
                    by=ACTOR,
                    options=wanted,
                    report=report,
                    tell=lambda rows: bar.update(task, completed=rows),
                )
            except ImportRefused as refusal:
                raise CommandError(f"Nothing was created: {refusal.code}.") from refusal
        self._tell(done, errors, applied=options["apply"])
        if done.failed and not (options["apply"] and options["valid_rows"]):
            raise CommandError(f"{done.failed} rows can't be imported; nothing was created.")

    def _tell(self, done: Progress, errors: list[tuple[int, str, str]], *, applied: bool) -> None:
        created = "created" if applied else "would be created"
        self.stdout.write(f"{done.rows} rows: {done.created} {created}, {done.skipped} skipped, {done.failed} refused.")
        for line, name, code in errors:
            self.stdout.write(f"  line {line}: {name or 'the row'}: {code}")
        if done.failed > len(errors):
            self.stdout.write("  ...")


def practice_called(slug: str) -> Practice:
    """Raises CommandError."""
    with platform_scope(actor=ACTOR):
        found = Practice.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no practice {slug}.")
    return found


def _mapping(pairs: list[str]) -> dict[str, str]:
    mapping = dict(pair.rpartition("=")[::2] for pair in pairs)
    if unknown := set(mapping.values()) - set(FIELDS):
        raise CommandError(f"There is no field {', '.join(sorted(unknown))}.")
    return mapping


def _opened(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8", newline="")
    except OSError as error:
        raise CommandError(f"{path} can't be read.") from error


def _lines(path: Path) -> int:
    """About as many rows as the bar has to go."""
    with _opened(path) as file:
        return max(sum(1 for _ in file.buffer) - 1, 1)
