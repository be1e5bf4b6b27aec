"""The jobs of the worker. procrastinate finds this module by its name."""

from django.conf import settings
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.jobs import Status

MAX_RECOVERIES = 5


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
