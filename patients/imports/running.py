"""A run through a file: a trial, all of it or nothing, or whatever rows are sound."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import TextIO
from uuid import UUID

from django.db import connection
from django.utils import timezone

from patients.contact_values import region
from patients.duplicates import queue_up_for_all
from patients.imports.checking import Checked, Duplicates, check, is_any_like, likenesses
from patients.imports.reading import ImportRefused, Mapping, read
from patients.models import ContactPoint, Patient
from practices.tenancy import Actor, practice_scope

BATCH = 500


class Mode(StrEnum):
    ALL_OR_NOTHING = "all_or_nothing"
    VALID_ROWS = "valid_rows"


@dataclass(frozen=True, slots=True)
class Options:
    mapping: Mapping = field(default_factory=dict)
    dry_run: bool = True
    mode: Mode = Mode.ALL_OR_NOTHING
    duplicates: Duplicates = Duplicates.REFUSE


@dataclass(slots=True)
class Progress:
    """Rows so far. `errors` are the last batch's: line, field, code; never what a cell held."""

    rows: int = 0
    created: int = 0
    skipped: int = 0
    failed: int = 0
    errors: list[tuple[int, str, str]] = field(default_factory=list)

    def count(self, checked: list[Checked], *, created: int) -> None:
        self.rows += len(checked)
        self.created += created
        self.skipped += sum(each.skipped for each in checked if not each.errors)
        self.failed += sum(bool(each.errors) for each in checked)
        self.errors = [(each.line, *error) for each in checked for error in each.errors]


Report = Callable[[Progress], None]
"""Called in the transaction of each batch; when all is written at once, at its end."""
Tell = Callable[[int], None]
"""Called with the rows written so far while all is written at once: a transaction shows nothing before its end."""
SKEW = timedelta(minutes=1)
"""Between the clocks that ids are made by."""
Rows = Iterator[tuple[int, dict[str, str] | None]]


def run(
    open_file: Callable[[], TextIO],
    *,
    practice_id: UUID,
    by: Actor,
    options: Options,
    report: Report = lambda progress: None,
    tell: Tell = lambda rows: None,
    so_far: Progress | None = None,
) -> Progress:
    """Raises ImportRefused. Opens scopes of its own, and commits each batch but with `all_or_nothing`.

    `so_far` goes on with sound rows where an earlier run was cut off.
    """
    job = _Run(practice_id, by, options, report, tell)
    with open_file() as file:
        if options.mode is Mode.VALID_ROWS and not options.dry_run:
            return job.in_batches(file, so_far or Progress(), write=True)
        found = job.in_batches(file, Progress(), write=False)
    if options.dry_run or found.failed:
        return found
    with open_file() as file, practice_scope(practice_id, actor=by):
        return job.at_once(file)


@dataclass(slots=True)
class _Run:
    practice_id: UUID
    by: Actor
    options: Options
    report: Report
    tell: Tell

    def in_batches(self, file: TextIO, progress: Progress, *, write: bool) -> Progress:
        """Each in a transaction of its own."""
        seen: set[int] = set()
        rows = islice(read(file, self.options.mapping), progress.rows, None)
        while batch := list(islice(rows, BATCH)):
            with practice_scope(self.practice_id, actor=self.by):
                if write:
                    queue_up_for_all()
                checked = self._check(batch, set() if write else seen)
                progress.count(checked, created=_create(checked) if write else self._would_create(checked))
                self.report(progress)
        return progress

    def at_once(self, file: TextIO) -> Progress:
        """In the caller's transaction. What came in the way since the file was checked undoes it all."""
        progress, rows = Progress(), read(file, self.options.mapping)
        began, own, known = timezone.now(), set[UUID](), set[int]()
        while batch := list(islice(rows, BATCH)):
            checked = self._check(batch, set())
            if any(each.errors for each in checked):
                raise ImportRefused("changed_meanwhile")
            progress.count(checked, created=_create(checked))
            own |= {each.patient.pk for each in checked if each.patient and each.is_sound}
            known |= {number for each in checked if each.is_sound for number in likenesses(each)}
            self.tell(progress.rows)
        self._look_again(began, own, known)
        self.report(progress)
        return progress

    def _look_again(self, began: datetime, own: set[UUID], known: set[int]) -> None:
        """At whoever was created while all was written: only now are they waited for, and others kept waiting."""
        queue_up_for_all()
        first = UUID(int=int((began - SKEW).timestamp() * 1000) << 80)  # ids begin with the time
        since = Patient.objects.visible_to(self.by).filter(pk__gt=first).order_by().values_list("pk", flat=True)
        others = [pk for pk in since.iterator() if pk not in own]
        if self.options.duplicates is not Duplicates.CREATE and others and is_any_like(others, known):
            raise ImportRefused("changed_meanwhile")

    def _would_create(self, checked: list[Checked]) -> int:
        """Of a trial; in a run that creates all or nothing, checking creates nothing."""
        return sum(each.is_sound for each in checked) if self.options.dry_run else 0

    def _check(self, batch: list[tuple[int, dict[str, str] | None]], seen: set[int]) -> list[Checked]:
        return check(batch, region=region(), duplicates=self.options.duplicates, seen=seen, by=self.by)


def _plan_by_index() -> None:
    """The checks of each row's keys are planned once a connection, for tables that may have been small then: the whole
    table would be read for every row.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("DISCARD PLANS")


def _create(checked: list[Checked]) -> int:
    """Four statements a batch, and one for the log."""
    _plan_by_index()
    rows = [each for each in checked if each.is_sound]
    Patient.objects.bulk_create([each.patient for each in rows if each.patient])
    ContactPoint.objects.bulk_create(
        [
            ContactPoint(patient=each.patient, kind=kind, value=value)
            for each in rows
            for kind, value in each.contacts.items()
        ]
    )
    return len(rows)
