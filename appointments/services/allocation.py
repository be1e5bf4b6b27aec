"""Occupying resources. The exclusion constraint decides; what is here makes its answer orderly and complete."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from appointments import signals
from appointments.intervals import crowded
from appointments.local_time import ceil_seconds, floor_seconds
from appointments.models import Appointment, AppointmentType, ResourceAllocation, StatusEvent
from appointments.problems import Occupied, SlotUnavailable
from appointments.transitions import Status
from practices.models import CancellationReason, Resource

HOLD_EXPIRED = "hold-expired"


def occupied_period(visit_type: AppointmentType, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The visit's time with its buffers."""
    return start - timedelta(minutes=visit_type.buffer_before), end + timedelta(minutes=visit_type.buffer_after)


def lock(resources: Iterable[UUID]) -> None:
    """Queues up with everybody else who books these, until the transaction ends.

    In id order, so that nobody waits in a circle; and before looking, so that what is seen is final. Without it
    two inserts can deadlock inside the exclusion constraint instead of one failing.
    """
    keys = [resource.int & 0x7FFF_FFFF_FFFF_FFFF for resource in sorted(resources)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key", [keys])


def expire(hold: Appointment) -> None:
    reason = CancellationReason.objects.filter(code=HOLD_EXPIRED).first()
    StatusEvent.objects.create(
        appointment=hold,
        action="expire",
        from_status=hold.status,
        to_status=Status.CANCELLED,
        reason=HOLD_EXPIRED,
    )
    hold.status, hold.cancellation_reason, hold.hold_expires_at = Status.CANCELLED, reason, None
    hold.save(update_fields=["status", "cancellation_reason", "hold_expires_at"])
    free(hold)
    signals.appointment_cancelled.send(Appointment, appointment=hold, expired=True)


def free(appointment: Appointment) -> None:
    """The appointment's resources are others' again."""
    appointment.allocations.filter(blocking=True).update(blocking=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A lane found free in each resource for [start, end); good until the transaction ends."""

    lanes: list[tuple[Resource, int]]
    start: datetime
    end: datetime


def find_place(
    resources: Sequence[Resource],
    start: datetime,
    end: datetime,
    *,
    but: UUID | None = None,
    overbook: Collection[UUID] = (),
) -> Place:
    """Locks the resources and looks; raises SlotUnavailable naming every conflict, having written nothing of its own.

    Allocations of the appointment `but` don't count: a visit never conflicts with itself. In the resources
    `overbook` the next lane beyond the capacity is taken.
    """
    lock(resource.pk for resource in resources)
    now = timezone.now()
    taken, lapsed = _taken(resources, start, end, but=but, now=now)
    lanes = [
        (resource, _free_lane(resource, taken[resource.pk], overbook=resource.pk in overbook)) for resource in resources
    ]
    conflicts = [
        Occupied(row.resource_id, row.start, row.end)
        for resource, lane in lanes
        if lane is None
        for row in taken[resource.pk]
    ]
    if conflicts or not _release(lapsed, now):
        raise SlotUnavailable(conflicts or [Occupied(row.resource_id, row.start, row.end) for row in lapsed])
    return Place([(resource, lane) for resource, lane in lanes if lane is not None], start, end)


def occupy(appointment: Appointment, place: Place) -> None:
    """Allocates the place to an appointment that has none; see `occupy_instead`."""
    ResourceAllocation.objects.bulk_create(
        ResourceAllocation(appointment=appointment, resource=resource, lane=lane, start=place.start, end=place.end)
        for resource, lane in place.lanes
    )


def occupy_instead(appointment: Appointment, place: Place) -> None:
    """Allocates the place instead of what the appointment had."""
    appointment.allocations.all().delete()
    occupy(appointment, place)


def _taken(
    resources: Sequence[Resource], start: datetime, end: datetime, *, but: UUID | None, now: datetime
) -> tuple[dict[UUID, list[ResourceAllocation]], list[ResourceAllocation]]:
    """What overlaps, by resource; and apart from it what only a hold that has run out still occupies."""
    rows = ResourceAllocation.objects.filter(
        resource__in=[resource.pk for resource in resources], blocking=True, end__gt=start, start__lt=end
    )
    if but is not None:
        rows = rows.exclude(appointment=but)
    taken: dict[UUID, list[ResourceAllocation]] = defaultdict(list)
    lapsed: list[ResourceAllocation] = []
    for row in rows.select_related("appointment").order_by("start", "id"):
        (lapsed if row.appointment.hold_expired(now) else taken[row.resource_id]).append(row)
    return taken, lapsed


def _release(lapsed: Sequence[ResourceAllocation], now: datetime) -> bool:
    """Cancels the holds behind these; False when one is locked by somebody who may be waiting for us."""
    holds = {row.appointment_id for row in lapsed}
    if not holds:
        return True
    released = Appointment.objects.expired_holds(now).filter(pk__in=holds).order_by("id")
    locked = list(released.select_for_update(of=("self",), skip_locked=True))
    for hold in locked:
        expire(hold)
    return len(locked) == len(holds)


def _free_lane(resource: Resource, taken: Sequence[ResourceAllocation], *, overbook: bool) -> int | None:
    """None when there is none, or when overbooked visits in further lanes already fill the capacity at some instant."""
    periods = ((floor_seconds(row.start), ceil_seconds(row.end)) for row in taken)
    if not overbook and crowded(periods, resource.capacity):
        return None
    used = {row.lane for row in taken}
    lanes = range(resource.capacity + (len(used) if overbook else 0))
    return next((lane for lane in lanes if lane not in used), None)
