import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date

from audit import anchoring, structure, verifying
from audit.checking import Report
from practices.models import Practice
from practices.tenancy import platform_scope

TAMPERED = 2


class Command(BaseCommand):
    help = (
        "Checks the audit log: each event's content, the record of changes, the chain of seals and their signatures, "
        "the anchored heads, the database's triggers, functions, rights and row policies, that every row is as its "
        "recorded changes leave it, and the platform's own log. Names the first bad event or row of each practice, and "
        "ends with 2 if there is one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--practice", metavar="SLUG", help="only this practice")
        parser.add_argument("--archived", action="store_true", help="also the events that have left for the archive")
        parser.add_argument("--since", metavar="DATE", help="only what was sealed from this day (UTC) on, and no rows")
        parser.add_argument(
            "--processes", type=int, default=os.cpu_count() or 1, help="one per core, unless said otherwise"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        since = _day(options["since"])
        found = list(structure.problems())
        anchors = _anchors(found)
        for problem in found:
            self.stdout.write(f"BAD  {problem}")
        asked = {"anchors": anchors, "since": since, "rows": since is None, "archived": options["archived"]}
        parts = {practice.slug: verifying.parts(practice.pk, **asked) for practice in _practices(options["practice"])}
        if not options["practice"]:
            parts["platform"] = [partial(verifying.verify_platform, anchors=anchors)]
        for report in self._reports(parts, options["processes"]):
            found += report.problems
        if found:
            raise CommandError(
                f"{len(found)} findings: the log or what guards it was tampered with.", returncode=TAMPERED
            )

    def _reports(self, parts: dict[str, list[verifying.Part]], processes: int) -> Iterator[Report]:
        """Said as they come, in the practices' order."""
        began, events = time.monotonic(), 0
        reports = verifying.run(list(chain.from_iterable(parts.values())), processes)
        for name, own in parts.items():
            report = verifying.merged(islice(reports, len(own)))
            self._say(name, report)
            events += report.events
            yield report
        took = time.monotonic() - began
        self.stdout.write(f"{events} events in {took:.1f} s ({events / took:,.0f}/s)")

    def _say(self, name: str, report: Report) -> None:
        self.stdout.write(
            f"{'BAD ' if report.problems else 'ok  '} {name}: {report.events} events in {report.seals} seals, "
            f"{report.unsealed} not sealed yet, {report.adopted} from before sealing"
        )
        for problem in report.problems:
            self.stdout.write(f"BAD  {name}: {problem}")


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
