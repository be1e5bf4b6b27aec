"""Occupying resources. The exclusion constraint decides; what is here makes its answer orderly and complete."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
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
from appointments.services.demand import Demand
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
    """The appointment's resources are others' again. Call it when its status is already what it ended as."""
    appointment.allocations.filter(blocking=True).update(blocking=False)
    signals.time_freed.send(
        Appointment,
        appointment=appointment,
        start=appointment.start,
        end=appointment.end,
        provider_id=appointment.provider_id,
        location_id=appointment.location_id,
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A lane found free in each resource for [start, end); good until the transaction ends."""

    lanes: list[tuple[Resource, int]]
    start: datetime
    end: datetime


def find_place(
    demand: Demand, start: datetime, end: datetime, *, but: UUID | None = None, overbook: Collection[UUID] = ()
) -> Place:
    """Locks the resources and looks; raises SlotUnavailable naming every conflict, having written nothing of its own.

    Allocations of the appointment `but` don't count: a visit never conflicts with itself. In the resources
    `overbook` the next lane beyond the capacity is taken.
    """
    lock(resource.pk for resource in demand.resources)
    now = timezone.now()
    taken, lapsed = _taken(demand.resources, start, end, but=but, now=now)
    lanes, crowded_out = _choose(demand, taken, overbook)
    if crowded_out:
        raise SlotUnavailable([_occupied(row) for resource in crowded_out for row in taken[resource.pk]])
    chosen = {resource.pk for resource, _ in lanes}
    in_the_way = [row for row in lapsed if row.resource_id in chosen]
    if not _release(in_the_way, now):
        raise SlotUnavailable([_occupied(row) for row in in_the_way])
    return Place(lanes, start, end)


def _occupied(row: ResourceAllocation) -> Occupied:
    return Occupied(row.resource_id, row.start, row.end)


def _choose(
    demand: Demand, taken: Mapping[UUID, Sequence[ResourceAllocation]], overbook: Collection[UUID]
) -> tuple[list[tuple[Resource, int]], list[Resource]]:
    """A lane in each resource that is wanted, and the resources that stood in the way of what found none."""
    lanes: list[tuple[Resource, int]] = []
    crowded_out: dict[UUID, Resource] = {}
    for choice in [*([resource] for resource in demand.fixed), *demand.choices]:
        left = [resource for resource in choice if all(resource != other for other, _ in lanes)]
        found = _first_free(left, taken, ()) or _first_free(left, taken, overbook)
        if found is None:
            crowded_out |= {resource.pk: resource for resource in left}
        else:
            lanes.append(found)
    return lanes, list(crowded_out.values())


def _first_free(
    resources: Iterable[Resource], taken: Mapping[UUID, Sequence[ResourceAllocation]], overbook: Collection[UUID]
) -> tuple[Resource, int] | None:
    for resource in resources:
        lane = _free_lane(resource, taken[resource.pk], overbook=resource.pk in overbook)
        if lane is not None:
            return resource, lane
    return None


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
