"""The job of an import. Killed and run again, it goes on where its last committed batch ended."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import connections
from django.utils import timezone

from accounts.identity import living_membership
from accounts.roles import Access, Area, allowed
from integrations.errors import PermanentVendorError, VendorError
from integrations.models import ImportJob, ImportRowError
from integrations.storage import get_file_store
from patients.imports import Duplicates, ImportRefused, Mode, Options, Progress, run
from practices.tenancy import Actor, practice_scope

logger = structlog.get_logger(__name__)
WORKER = Actor.system("worker")
Status = ImportJob.Status
ABANDONED_AFTER = timedelta(days=1)
"""Its numbers change with each batch, and a store that is down is tried again for some hours at most."""
KEPT_ERRORS = 1000
"""Of a file that has more, the first are enough to mend it by."""


@dataclass(frozen=True, slots=True)
class _Begun:
    key: str
    by: Actor
    options: Options
    so_far: Progress


def run_job(*, practice_id: UUID, import_id: UUID, last_attempt: bool) -> None:
    """Raises VendorError when the store can't give the file now, unless this was the last attempt."""

    def end(status: str, error_code: str = "") -> None:
        with practice_scope(practice_id, actor=WORKER):
            _locked(import_id).note(status=status, error_code=error_code[:100], finished_at=timezone.now())

    begun = _begin(practice_id, import_id)
    if begun is None:
        return
    teller = _Teller(practice_id, import_id)
    try:
        content = get_file_store().read(begun.key)
        run(
            lambda: io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline=""),
            practice_id=practice_id,
            by=begun.by,
            options=begun.options,
            report=_reporter(import_id),
            tell=teller.tell,
            so_far=begun.so_far,
        )
    except ImportRefused as refusal:
        end(Status.FAILED, refusal.code)
    except VendorError as error:
        if not last_attempt and not isinstance(error, PermanentVendorError):
            raise
        missing = isinstance(error, PermanentVendorError)
        end(Status.FAILED, "upload_missing" if missing else f"{error.vendor}:{error.code}")
    except Exception:
        end(Status.FAILED, "internal_error")
        raise
    else:
        end(Status.DONE)
    finally:
        teller.close()


def give_up_abandoned(practice_id: UUID) -> None:
    """Imports whose job was given up, as it kept killing its worker, say so instead of running for good."""
    with practice_scope(practice_id, actor=WORKER):
        under_way = ImportJob.objects.filter(status__in=[Status.QUEUED, Status.RUNNING])
        for job in under_way.filter(updated_at__lt=timezone.now() - ABANDONED_AFTER).select_for_update(of=("self",)):
            job.note(status=Status.FAILED, error_code="abandoned", finished_at=timezone.now())


def _begin(practice_id: UUID, import_id: UUID) -> _Begun | None:
    """None when it ended, or may not be: whoever asked may have lost the role."""
    with practice_scope(practice_id, actor=WORKER):
        job = _locked(import_id)
        if job.status not in (Status.QUEUED, Status.RUNNING) or job.upload is None:
            return None
        member = living_membership(practice_id=practice_id, user_id=job.requested_by_id)
        roles = tuple(member.roles) if member is not None else ()
        if not allowed(roles, Area.EXPORT, Access.FULL):
            job.note(status=Status.FAILED, error_code="not_allowed", finished_at=timezone.now())
            return None
        options = Options(dict(job.mapping), job.dry_run, Mode(job.mode), Duplicates(job.duplicates))
        goes_on = options.mode is Mode.VALID_ROWS and not options.dry_run
        if not goes_on:
            ImportRowError.objects.filter(job=job).delete()
        job.note(status=Status.RUNNING)
        so_far = Progress(job.rows, job.created, job.skipped, job.failed) if goes_on else Progress()
        by = Actor.user(job.requested_by_id, roles, member.user.name if member is not None else "")
        return _Begun(job.upload.key, by, options, so_far)


def _locked(import_id: UUID) -> ImportJob:
    job: ImportJob = ImportJob.objects.select_for_update(of=("self",)).get(pk=import_id)
    return job


class _Teller:
    """Notes how far an import is while its own transaction goes on: on a connection of its own, which a thread has."""

    def __init__(self, practice_id: UUID, import_id: UUID) -> None:
        self._practice_id, self._import_id = practice_id, import_id
        self._thread = ThreadPoolExecutor(max_workers=1)

    def tell(self, rows: int) -> None:
        """Back when it is noted, so that nothing is noted late."""
        self._thread.submit(self._note, rows).result()

    def close(self) -> None:
        self._thread.submit(connections.close_all).result()
        self._thread.shutdown()

    def _note(self, rows: int) -> None:
        with practice_scope(self._practice_id, actor=WORKER):
            job = ImportJob.objects.select_for_update(of=("self",)).filter(pk=self._import_id).first()
            if job is not None:
                job.note(rows=rows, created=0)


def _reporter(import_id: UUID) -> Callable[[Progress], None]:
    kept = 0

    def report(progress: Progress) -> None:
        nonlocal kept
        job = _locked(import_id)
        kept = kept or job.row_errors.count()
        errors = progress.errors[: KEPT_ERRORS - kept]
        rows: list[Any] = [ImportRowError(job=job, line=line, field=name, code=code) for line, name, code in errors]
        if rows:
            ImportRowError.objects.bulk_create(rows)
        kept += len(rows)
        job.note(rows=progress.rows, created=progress.created, skipped=progress.skipped, failed=progress.failed)

    return report
