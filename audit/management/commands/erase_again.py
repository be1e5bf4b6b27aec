from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import erasures
from practices.models import Practice
from practices.tenancy import platform_scope


class Command(BaseCommand):
    help = (
        "After a backup was restored: erases the charts that had been erased since it was made, as the file storage "
        "knows. Without --apply it only tells how many have come back. Charts under a legal hold stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--apply", action="store_true", help="erase; otherwise nothing is changed")

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope(actor=erasures.ACTOR):
            practices = list(Practice.objects.order_by("slug"))
        for practice in practices:
            try:
                back = erasures.come_back(practice.pk)
            except ValueError as problem:
                raise CommandError(f"{practice.slug}: {problem}", returncode=2) from problem
            if not options["apply"]:
                self.stdout.write(f"{practice.slug}: {len(back)} have come back and would be erased")
                continue
            left = erasures.erase_again(practice.pk, back)
            self.stdout.write(f"{practice.slug}: {len(back) - len(left)} erased again, {len(left)} stay")
            for patient_id in left:
                self.stdout.write(f"  {patient_id}: under a legal hold, or merged into a chart that stays")
