from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from audit import retiring
from practices.models import Practice
from practices.tenancy import platform_scope


class Command(BaseCommand):
    help = (
        "Moves the audit events that a practice has kept for as long as its policy says into the archive in the file "
        "storage, and deletes them, as the tables' owner. Their seals stay. Without --apply it only tells how many. "
        "Nothing leaves from the first event on of a patient under a legal hold. Interrupted, it is started again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--apply", action="store_true", help="archive and delete; otherwise nothing is changed")
        parser.add_argument("--practice", metavar="SLUG", help="only this practice")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["apply"] and "owner" not in connections:
            raise CommandError("Set DATABASE_OWNER_URL: only the owner may delete events.")
        with platform_scope(actor=retiring.ACTOR):
            practices = list(Practice.objects.order_by("slug"))
        if options["practice"]:
            practices = [each for each in practices if each.slug == options["practice"]]
            if not practices:
                raise CommandError(f"There is no practice {options['practice']}.")
        for practice in practices:
            self._work_off(practice, apply=options["apply"])

    def _work_off(self, practice: Practice, *, apply: bool) -> None:
        try:
            due = retiring.due(practice.pk)
            if apply:
                self.stdout.write(f"{practice.slug}: {retiring.retire(practice.pk, due)} events have left")
            else:
                self.stdout.write(f"{practice.slug}: {sum(each.count for each in due)} events would leave")
        except ValueError as problem:
            raise CommandError(f"{practice.slug}: {problem}", returncode=2) from problem
