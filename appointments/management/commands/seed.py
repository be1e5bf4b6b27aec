from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from appointments.seeding import DEMO_PRACTICES, PracticeSeed, seed_practice
from appointments.seeding.people import Credentials, seed_root
from practices.tenancy import Actor, platform_scope

DEMO_PASSWORD = "Practice-demo-1!"  # noqa: S105  # printed for the demo; refused in production
ZONES = ("America/New_York", "America/Chicago", "America/Denver", "Europe/Berlin", "Europe/London")


class Command(BaseCommand):
    help = "Fills the database with demo practices. Run again, it adds only what is missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--password", help="Of every demo login; has a default outside production.")
        parser.add_argument("--patients", type=int, default=400, help="In all practices together.")
        parser.add_argument("--appointments", type=int, default=1800, help="In all practices together, about.")
        parser.add_argument("--practices", type=int, default=len(DEMO_PRACTICES))

    def handle(self, *args: Any, **options: Any) -> None:
        password = options["password"] or ("" if settings.PRODUCTION else DEMO_PASSWORD)
        if not password:
            raise CommandError("Give --password: the demo's own is known to everybody.")
        if min(options["patients"], options["appointments"]) < 0 or options["practices"] < 1:
            raise CommandError("Numbers below zero, or no practice at all, can't be seeded.")
        seeds = [_seed(index) for index in range(options["practices"])]
        self._seed_all(seeds, Credentials(make_password(password), reset=bool(options["password"])), options)
        if options["verbosity"] > 0:
            self._tell(seeds, password)

    def _seed_all(self, seeds: list[PracticeSeed], credentials: Credentials, options: dict[str, Any]) -> None:
        by, now = Actor.system("seed"), timezone.now()
        with platform_scope(actor=by):
            seed_root(credentials)
        patients, visits = (options[name] // len(seeds) for name in ("patients", "appointments"))
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, disable=options["verbosity"] == 0 or not self.stdout.isatty()) as bar:
            task = bar.add_task("Patients and visits", total=len(seeds) * (patients + visits))
            for seed in seeds:
                seed_practice(
                    seed,
                    credentials,
                    patients=patients,
                    visits=visits,
                    now=now,
                    by=by,
                    progress=lambda size: bar.advance(task, size),
                )

    def _tell(self, seeds: list[PracticeSeed], password: str) -> None:
        self.stdout.write(f"Seeded {', '.join(seed.slug for seed in seeds[:5])}{' ...' if len(seeds) > 5 else ''}.")
        shown = password if password == DEMO_PASSWORD else "the one you gave"
        self.stdout.write(f"Logins: owner@{seeds[0].slug}.test and others; the password is {shown}")


def _seed(index: int) -> PracticeSeed:
    if index < len(DEMO_PRACTICES):
        return DEMO_PRACTICES[index]
    number = index + 1
    return PracticeSeed(f"practice-{number:03}", f"Practice {number}", ZONES[index % len(ZONES)], "Springfield")
