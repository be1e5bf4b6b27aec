"""Housekeeping that no request does, practice by practice."""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

import structlog
from django.utils import timezone

from appointments.models import Appointment
from appointments.services.allocation import expire
from config.api.idempotency import LIFETIME
from integrations.models import IdempotencyKey
from practices.models import Practice
from practices.tenancy import Actor, platform_scope, practice_scope

logger = structlog.get_logger(__name__)
WORKER = Actor.system("worker")
BATCH = 500


def in_every_practice(work: Callable[[], object]) -> None:
    """Runs it once per practice, each in a transaction of its own; one that fails doesn't stop the others."""

    @wraps(work)
    def in_its_scope(practice_id: UUID) -> None:
        with practice_scope(practice_id, actor=WORKER):
            work()

    for_every_practice(in_its_scope)


def for_every_practice(work: Callable[[UUID], None]) -> None:
    """Calls it with each practice's id, outside any scope: for work that calls vendors between its transactions."""
    with platform_scope(actor=WORKER):
        practices: list[UUID] = list(Practice.objects.order_by("pk").values_list("pk", flat=True))
    for practice_id in practices:
        try:
            work(practice_id)
        except Exception:
            logger.exception("upkeep_failed", work=work.__name__, practice_id=str(practice_id))


def release_expired_holds() -> None:
    """Booking doesn't wait for this: it releases what is in its way. But lists would show dead holds as pending."""
    holds = Appointment.objects.expired_holds(timezone.now()).order_by("id").select_for_update(skip_locked=True)
    for hold in holds[:BATCH]:
        expire(hold)


def forget_old_answers() -> None:
    """Kept answers hold patients' data, and aren't repeated after a day."""
    IdempotencyKey.objects.filter(created_at__lt=timezone.now() - LIFETIME).delete()
