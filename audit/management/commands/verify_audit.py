import time
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date

from audit import anchoring, structure, verifying
from practices.models import Practice
from practices.tenancy import platform_scope

TAMPERED = 2


class Command(BaseCommand):
    help = (
        "Checks the audit log: each event's content, the record of changes, the chain of seals and their signatures, "
        "the anchored heads, the database's triggers, functions and rights, that every row is as its recorded changes "
        "leave it, and the platform's own log. Names the first bad event or row of each practice, and ends with 2 if "
        "there is one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--practice", metavar="SLUG", help="only this practice")
        parser.add_argument("--archived", action="store_true", help="also the events that have left for the archive")
        parser.add_argument("--since", metavar="DATE", help="only what was sealed from this day (UTC) on, and no rows")

    def handle(self, *args: Any, **options: Any) -> None:
        since = _day(options["since"])
        found = list(structure.problems())
        anchors = _anchors(found)
        for problem in found:
            self.stdout.write(f"BAD  {problem}")
        reports = [
            self._checked(practice, anchors, since, options["archived"]) for practice in _practices(options["practice"])
        ]
        if not options["practice"]:
            reports.append(self._said("platform", verifying.verify_platform(anchors=anchors)))
        if bad := len(found) + sum(len(report.problems) for report in reports):
            raise CommandError(f"{bad} findings: the log or what guards it was tampered with.", returncode=TAMPERED)

    def _checked(
        self, practice: Practice, anchors: dict[str, Any], since: datetime | None, archived: bool
    ) -> verifying.Report:
        began = time.monotonic()
        report = verifying.verify(practice.pk, anchors=anchors, since=since, rows=since is None, archived=archived)
        rate = report.events / max(time.monotonic() - began, 0.001)
        return self._said(practice.slug, report, f", {report.adopted} from before sealing ({rate:,.0f}/s)")

    def _said(self, name: str, report: verifying.Report, more: str = "") -> verifying.Report:
        self.stdout.write(
            f"{'BAD ' if report.problems else 'ok  '} {name}: {report.events} events in {report.seals} seals, "
            f"{report.unsealed} not sealed yet{more}"
        )
        for problem in report.problems:
            self.stdout.write(f"BAD  {name}: {problem}")
        return report


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    day = parse_date(text)
    if day is None:
        raise CommandError("--since takes a day such as 2026-11-27.")
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _anchors(found: list[str]) -> dict[str, Any]:
    try:
        return anchoring.latest()
    except ValueError as problem:
        found.append(str(problem))
        return {}


def _practices(slug: str | None) -> list[Practice]:
    with platform_scope(actor=verifying.ACTOR):
        rows = Practice.objects.filter(slug=slug) if slug else Practice.objects.all()
        found = list(rows.order_by("slug"))
    if slug and not found:
        raise CommandError(f"There is no practice {slug}.")
    return found
