"""The jobs of the worker. procrastinate finds this module by its name."""

from uuid import UUID

from django.conf import settings
from procrastinate import BaseRetryStrategy, JobContext, RetryDecision
from procrastinate.contrib.django import app
from procrastinate.jobs import Job, Status

from integrations.errors import RetryableVendorError

MAX_ATTEMPTS = 8
MAX_RECOVERIES = 20  # retries that a vendor asked for count too
KEEP_FAILED_HOURS = 30 * 24
FIRST_WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 3600


class VendorRetry(BaseRetryStrategy):
    """Waits as long as the vendor says, else 30 s, doubled each time up to an hour: some two hours in all."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if not isinstance(exception, RetryableVendorError) or job.attempts + 1 >= MAX_ATTEMPTS:
            return None
        wait = exception.retry_after or FIRST_WAIT_SECONDS * 2**job.attempts
        return RetryDecision(retry_in={"seconds": int(min(wait, LONGEST_WAIT_SECONDS))})


@app.task(queue="messages", retry=VendorRetry(), pass_context=True)
def send_message(context: JobContext, *, practice_id: str, message_id: str, queued_by: str | None = None) -> None:
    from integrations.messages.delivery import deliver

    last_attempt = context.job.attempts + 1 >= MAX_ATTEMPTS
    deliver(practice_id=UUID(practice_id), message_id=UUID(message_id), queued_by=queued_by, last_attempt=last_attempt)


@app.task(queue="messages", retry=VendorRetry(), pass_context=True)
def send_notice(
    context: JobContext, *, notice: str, user_id: str, practice_id: str | None = None, session_id: str | None = None
) -> None:
    from integrations.notices.delivery import deliver

    deliver(
        notice=notice,
        user_id=UUID(user_id),
        practice_id=UUID(practice_id) if practice_id else None,
        session_id=UUID(session_id) if session_id else None,
        last_attempt=context.job.attempts + 1 >= MAX_ATTEMPTS,
    )


@app.task(queue="messages", retry=VendorRetry(), pass_context=True)
def send_invitation(context: JobContext, *, practice_id: str, invitation_id: str) -> None:
    from integrations.invitations.delivery import deliver

    last_attempt = context.job.attempts + 1 >= MAX_ATTEMPTS
    deliver(practice_id=UUID(practice_id), invitation_id=UUID(invitation_id), last_attempt=last_attempt)


@app.task(queue="exports", retry=VendorRetry(), pass_context=True)
def make_patient_export(context: JobContext, *, practice_id: str, export_id: str) -> None:
    from integrations.exports.making import make

    last_attempt = context.job.attempts + 1 >= MAX_ATTEMPTS
    make(practice_id=UUID(practice_id), export_id=UUID(export_id), last_attempt=last_attempt)


@app.task(queue="imports", retry=VendorRetry(), pass_context=True)
def run_import(context: JobContext, *, practice_id: str, import_id: str) -> None:
    from integrations.imports.running import run_job

    last_attempt = context.job.attempts + 1 >= MAX_ATTEMPTS
    run_job(practice_id=UUID(practice_id), import_id=UUID(import_id), last_attempt=last_attempt)


@app.periodic(cron="* * * * * */15")  # the sixth column is seconds
@app.task(queue="upkeep", queueing_lock="recover_stalled_jobs", pass_context=True)
async def recover_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Queue again what a killed worker left behind. A job that keeps killing its worker is given up."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=settings.WORKER_STALLED_AFTER_SECONDS):
        if job.attempts < MAX_RECOVERIES:
            await manager.retry_job(job)
        else:
            await manager.finish_job(job, status=Status.FAILED, delete_job=False)


@app.periodic(cron="17 3 * * *")
@app.task(queue="upkeep", queueing_lock="remove_failed_jobs", pass_context=True)
async def remove_failed_jobs(context: JobContext, timestamp: int) -> None:
    """Jobs that succeeded are removed at once; those that failed stay a month, to be looked at."""
    await context.app.job_manager.delete_old_jobs(nb_hours=KEEP_FAILED_HOURS, include_failed=True)


@app.periodic(cron="*/5 * * * *")
@app.task(queue="upkeep", queueing_lock="release_holds")
def release_holds(timestamp: int) -> None:
    from integrations.upkeep import in_every_practice, release_expired_holds

    in_every_practice(release_expired_holds)


@app.task(queue="upkeep")
def offer_freed_time(*, practice_id: str, provider_id: str, location_id: str, start: str, end: str) -> None:
    from integrations.waitlist import offer

    offer(practice_id=UUID(practice_id), provider_id=provider_id, location_id=location_id, start=start, end=end)


@app.periodic(cron="* * * * *")
@app.task(queue="upkeep", queueing_lock="send_due_reminders")
def send_due_reminders(timestamp: int) -> None:
    from integrations.messages import reminders
    from integrations.upkeep import in_every_practice

    in_every_practice(reminders.send_due)


@app.periodic(cron="11 2 * * *")
@app.task(queue="upkeep", queueing_lock="find_duplicates", lock="find_duplicates")
def find_duplicates(timestamp: int) -> None:
    from integrations.upkeep import in_every_practice
    from patients.services.duplicates import find_duplicates

    in_every_practice(find_duplicates)


@app.periodic(cron="23 4 * * *")
@app.task(queue="upkeep", queueing_lock="forget_admin_sessions")
def forget_admin_sessions(timestamp: int) -> None:
    """Logins to the admin that are over; Django only removes those that somebody logs out of."""
    from django.contrib.sessions.backends.db import SessionStore

    SessionStore.clear_expired()


@app.periodic(cron="41 * * * *")
@app.task(queue="upkeep", queueing_lock="forget_answers")
def forget_answers(timestamp: int) -> None:
    from integrations.upkeep import forget_old_answers, in_every_practice

    in_every_practice(forget_old_answers)


@app.periodic(cron="*/10 * * * *")
@app.task(queue="upkeep", queueing_lock="remove_expired_exports")
def remove_expired_exports(timestamp: int) -> None:
    from integrations.exports.purging import give_up_abandoned, remove_expired
    from integrations.upkeep import for_every_practice

    for work in (remove_expired, give_up_abandoned):
        for_every_practice(work)


@app.periodic(cron="37 * * * *")
@app.task(queue="upkeep", queueing_lock="give_up_imports")
def give_up_imports(timestamp: int) -> None:
    from integrations.imports.running import give_up_abandoned
    from integrations.upkeep import for_every_practice

    for_every_practice(give_up_abandoned)


@app.periodic(cron="29 * * * *")
@app.task(queue="upkeep", queueing_lock="discard_unused_files")
def discard_unused_files(timestamp: int) -> None:
    from integrations.documents.discarding import discard_unknown, discard_unused
    from integrations.upkeep import for_every_practice

    for work in (discard_unused, discard_unknown):
        for_every_practice(work)
