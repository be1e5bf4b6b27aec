import pytest
from django.utils import timezone
from procrastinate.jobs import Job

from integrations.errors import PermanentVendorError, RetryableVendorError, error_for_status
from integrations.tasks import MAX_ATTEMPTS, VendorRetry


def a_job(attempts: int) -> Job:
    return Job(id=1, queue="messages", lock=None, queueing_lock=None, task_name="send_message", attempts=attempts)


def wait_after(error: Exception, attempts: int) -> float | None:
    """Seconds until the next attempt, None when there is none."""
    decision = VendorRetry().get_retry_decision(exception=error, job=a_job(attempts))
    if decision is None or decision.retry_at is None:
        return None
    return round((decision.retry_at - timezone.now()).total_seconds())


@pytest.mark.parametrize(
    ("retry_after", "attempts", "seconds"),
    [(None, 0, 30), (None, 1, 60), (None, 6, 1920), (7.0, 3, 7), (90_000.0, 0, 3600), (None, MAX_ATTEMPTS - 1, None)],
)
def test_outage_is_waited_out_ever_longer_until_the_last_attempt(
    retry_after: float | None, attempts: int, seconds: int | None
) -> None:
    assert wait_after(RetryableVendorError("twilio", "503", retry_after=retry_after), attempts) == seconds


@pytest.mark.parametrize("error", [PermanentVendorError("twilio", "21610"), ValueError("a bug")])
def test_other_errors_are_not_tried_again(error: Exception) -> None:
    assert wait_after(error, 0) is None


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_passing_statuses_are_retryable(status: int) -> None:
    assert isinstance(error_for_status("sendgrid", status), RetryableVendorError)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_other_statuses_are_permanent(status: int) -> None:
    error = error_for_status("sendgrid", status, request_id="r-1")
    assert isinstance(error, PermanentVendorError)
    assert str(error) == f"sendgrid answered {status} (request r-1)"
