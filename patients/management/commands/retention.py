from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dateutil.relativedelta import relativedelta
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import Progress

from patients import retention
from patients.models import Patient
from patients.services.erasure import erase
from practices.encryption import shred
from practices.models import Practice, PracticeKey
from practices.tenancy import Actor, platform_scope, practice_scope

ACTOR = Actor.system("retention")


@dataclass(slots=True)
class Report:
    years: int = 0
    due: int = 0
    held: int = 0
    erased: int = 0
    keys: bool = False
    shown: list[UUID] = field(default_factory=list)


class Command(BaseCommand):
    help = (
        "Erases the charts that a practice has kept for as long as its policy says. Without --apply it only tells how "
        "many there are. Charts under a legal hold stay. Interrupted, it is started again and goes on where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--apply", action="store_true", help="erase; otherwise nothing is changed")
        parser.add_argument("--practice", metavar="SLUG", help="only this practice")
        parser.add_argument("--patient", type=UUID, metavar="ID", help="this patient, however young the chart is")
        parser.add_argument("--ids", action="store_true", help="name the ids of the charts that are due")
        parser.add_argument("--batch-size", type=int, default=200, metavar="N", help="ids read at once (default 200)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["patient"] and not options["practice"]:
            raise CommandError("--patient needs --practice: a patient's id says nothing of where the chart is.")
        with Progress(console=Console(file=self.stdout)) as bar:  # type: ignore[arg-type]  # has write and flush
            for practice in _practices(options["practice"]):
                report = _work_off(practice, options, bar)
                self._tell(practice, report, applied=options["apply"])

    def _tell(self, practice: Practice, report: Report, *, applied: bool) -> None:
        what = f"{report.erased} erased" if applied else f"{report.due} would be erased"
        keys = ("; its keys are destroyed" if applied else "; its keys would be destroyed") if report.keys else ""
        self.stdout.write(
            f"{practice.slug}: {what}, {report.held} under a legal hold (kept for {report.years} years){keys}"
        )
        for pk in report.shown:
            self.stdout.write(f"  {pk}")


def _practices(slug: str | None) -> list[Practice]:
    with platform_scope(actor=ACTOR):
        rows = Practice.objects.filter(slug=slug) if slug else Practice.objects.all()
        found = list(rows.order_by("slug"))
    if slug and not found:
        raise CommandError(f"There is no practice {slug}.")
    return found


def _work_off(practice: Practice, options: dict[str, Any], bar: Progress) -> Report:
    with practice_scope(practice, actor=ACTOR):
        report = Report(years=retention.retention_years())
        rows = _wanted(report.years, options["patient"])
        report.held, report.due = rows.filter(retention.held()).count(), rows.exclude(retention.held()).count()
        if options["ids"]:
            report.shown = list(rows.exclude(retention.held()).order_by("pk").values_list("pk", flat=True))
    if options["apply"] and report.due:
        task = bar.add_task(practice.slug, total=report.due)
        report.erased = _erase_all(practice, report.years, options, lambda: bar.advance(task))
    report.keys = _end_of_practice(practice, report.years, apply=options["apply"])
    return report


def _wanted(years: int, patient: UUID | None) -> Any:
    if patient is None:
        return retention.over(years)
    return Patient.objects.filter(pk=patient, erased_at=None, merged_into=None)


def _erase_all(practice: Practice, years: int, options: dict[str, Any], on_one: Any) -> int:
    """Each patient in a transaction of their own; what was done is not due any more."""
    erased, last = 0, UUID(int=0)
    while True:
        with practice_scope(practice, actor=ACTOR):
            rows = _wanted(years, options["patient"]).exclude(retention.held())
            page = retention.page_after(rows, last, options["batch_size"])
        for pk in page:
            with practice_scope(practice, actor=ACTOR):
                Patient.objects.select_for_update(of=("self",)).get(pk=pk)  # nothing is added from here on
                erased += rows.filter(pk=pk).exists() and erase(patient_id=pk, by=ACTOR)
            on_one()
        if not page:
            return erased
        last = page[-1]


def _end_of_practice(practice: Practice, years: int, *, apply: bool) -> bool:
    """A closed practice without charts needs its keys no more: what else is encrypted goes with them."""
    over = practice.updated_at < timezone.now() - relativedelta(years=years)
    if practice.status != Practice.Status.CLOSED or years == 0 or not over:
        return False
    with practice_scope(practice, actor=ACTOR):
        if Patient.objects.filter(erased_at=None).exists() or not PracticeKey.objects.exclude(wrapped="").exists():
            return False
        if apply:
            shred()
    return True
