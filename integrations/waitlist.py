"""From a time that became free to the job that offers it to the waitlist."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from appointments.models import WaitlistEntry
from appointments.services.freed_time import FreedTime, offer_freed_time
from appointments.signals import time_freed
from integrations import tasks
from integrations.queue import enqueue
from practices.tenancy import Actor, active_practice_id, practice_scope

WORKER = Actor.system("worker")


def queue_offer(
    sender: object, start: datetime | None, end: datetime | None, provider_id: UUID, location_id: UUID, **kwargs: Any
) -> None:
    """A job in the transaction that freed the time: when it runs, the time is free indeed. None when nobody waits."""
    if start is None or end is None or start <= timezone.now() or not _somebody_waits(provider_id, location_id):
        return
    enqueue(
        tasks.offer_freed_time,
        {
            "practice_id": str(active_practice_id()),
            "provider_id": str(provider_id),
            "location_id": str(location_id),
            "start": start.isoformat(),
            "end": end.isoformat(),
        },
    )


def _somebody_waits(provider_id: UUID, location_id: UUID) -> bool:
    return bool(WaitlistEntry.objects.waiting().for_place(provider_id, location_id).exists())


def offer(*, practice_id: UUID, provider_id: str, location_id: str, start: str, end: str) -> None:
    freed = FreedTime(
        provider=UUID(provider_id),
        location=UUID(location_id),
        start=datetime.fromisoformat(start),
        end=datetime.fromisoformat(end),
    )
    with practice_scope(practice_id, actor=WORKER):
        offer_freed_time(freed, by=WORKER)


def connect() -> None:
    time_freed.connect(queue_offer)
