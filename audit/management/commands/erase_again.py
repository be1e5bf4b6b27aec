from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import erasures
from practices.models import Practice
from practices.tenancy import platform_scope


class Command(BaseCommand):
    help = (
        "After a backup was restored: erases the charts that had been erased since it was made, as the file storage "
        "knows. Without --apply it only tells whose have come back. Charts under a legal hold stay. Ends with 2 when "
        "there are entries that we did not write; they erase nobody."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--apply", action="store_true", help="erase; otherwise nothing is changed")
        parser.add_argument("--practice", metavar="SLUG", help="only this practice")

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope(actor=erasures.ACTOR):
            practices = list(Practice.objects.order_by("slug"))
        if options["practice"]:
            practices = [each for each in practices if each.slug == options["practice"]]
            if not practices:
                raise CommandError(f"There is no practice {options['practice']}.")
        refused = [name for practice in practices for name in self._work_off(practice, apply=options["apply"])]
        if refused:
            raise CommandError("\n  ".join(["Entries that are not signed by a key of ours:", *refused]), returncode=2)

    def _work_off(self, practice: Practice, *, apply: bool) -> list[str]:
        back = erasures.come_back(practice.pk)
        if not apply:
            self.stdout.write(f"{practice.slug}: {len(back.patients)} have come back and would be erased")
            for patient_id, erased_at in back.patients.items():
                self.stdout.write(f"  {patient_id} (erased {erased_at})")
            return back.refused
        left = erasures.erase_again(practice.pk, back.patients.keys())
        self.stdout.write(f"{practice.slug}: {len(back.patients) - len(left)} erased again, {len(left)} stay")
        for patient_id in left:
            self.stdout.write(f"  {patient_id}: under a legal hold, or one chart with somebody who was not erased")
        return back.refused
