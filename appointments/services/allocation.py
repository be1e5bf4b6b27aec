"""Occupying resources. The exclusion constraint decides; what is here makes its answer orderly and complete."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from appointments import signals
from appointments.booking_rows import Taken, lock_and_read_taken, lock_keys
from appointments.intervals import crowded
from appointments.local_time import ceil_seconds, floor_seconds
from appointments.models import Appointment, AppointmentType, GroupVisit, ResourceAllocation, StatusEvent
from appointments.problems import Occupied, SlotUnavailable
from appointments.services.demand import Demand
from appointments.services.groups import leave
from appointments.transitions import Status
from practices.models import CancellationReason, Resource

HOLD_EXPIRED = "hold-expired"
Period = tuple[datetime, datetime]


def occupied_period(visit_type: AppointmentType, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The visit's time with its buffers."""
    return start - timedelta(minutes=visit_type.buffer_before), end + timedelta(minutes=visit_type.buffer_after)


def lock(resources: Collection[UUID]) -> None:
    """Queues up with everybody else who books these, until the transaction ends.

    In id order, so that nobody waits in a circle; and before looking, so that what is seen is final. Without it
    two inserts can deadlock inside the exclusion constraint instead of one failing.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key", [lock_keys(resources)])


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
    leave(hold)
    hold.save(update_fields=["status", "cancellation_reason", "hold_expires_at", "group"])
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
    group: GroupVisit | None = None
    """Where there is a seat, instead of lanes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at one period found: a place, or what is in the way of it."""

    place: Place | None
    conflicts: list[Occupied]
    lapsed: list[Taken]
    """Allocations in the place that belong to holds which have run out."""


def find_place(
    demand: Demand, start: datetime, end: datetime, *, but: UUID | None = None, overbook: Collection[UUID] = ()
) -> Place:
    """Locks the resources and looks; raises SlotUnavailable naming every conflict, having written nothing of its own.

    Allocations of the appointment `but` don't count: a visit never conflicts with itself. In the resources
    `overbook` the next lane beyond the capacity is taken.
    """
    found = find_places(demand, [(start, end)], but=[but] if but else (), overbook=overbook)
    return claim(found)[0]


def find_places(
    demand: Demand, periods: Sequence[Period], *, but: Collection[UUID] = (), overbook: Collection[UUID] = ()
) -> list[Finding]:
    """A finding for each of the periods, which are in order and don't overlap; one statement for any number."""
    rows = lock_and_read_taken(demand.resources, periods[0][0], periods[-1][1], but=but, now=timezone.now())
    return [_find(demand, period, met, overbook) for period, met in zip(periods, _met(rows, periods), strict=True)]


def claim(found: Sequence[Finding]) -> list[Place]:
    """The places, freed of holds that have run out. Raises SlotUnavailable with all conflicts if there are any."""
    conflicts = [conflict for each in found for conflict in each.conflicts]
    lapsed = [row for each in found for row in each.lapsed]
    if conflicts or not _release(lapsed, timezone.now()):
        raise SlotUnavailable(conflicts or [row.occupied for row in lapsed])
    return [each.place for each in found if each.place is not None]


def _find(demand: Demand, period: Period, met: Sequence[Taken], overbook: Collection[UUID]) -> Finding:
    taken: dict[UUID, list[Taken]] = defaultdict(list)
    for row in met:
        if not row.lapsed:
            taken[row.resource].append(row)
    lanes, crowded_out = _choose(demand, taken, overbook)
    if crowded_out:
        return Finding(None, [row.occupied for resource in crowded_out for row in taken[resource.pk]], [])
    chosen = {resource.pk for resource, _ in lanes}
    return Finding(Place(lanes, *period), [], [row for row in met if row.lapsed and row.resource in chosen])


def _met(rows: Iterable[Taken], periods: Sequence[Period]) -> list[list[Taken]]:
    """For each period the rows that overlap it."""
    starts, ends = [start for start, _ in periods], [end for _, end in periods]
    met: list[list[Taken]] = [[] for _ in periods]
    for row in rows:
        for index in range(bisect_right(ends, row.start), bisect_left(starts, row.end)):
            met[index].append(row)
    return met


def _choose(
    demand: Demand, taken: Mapping[UUID, Sequence[Taken]], overbook: Collection[UUID]
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
    resources: Iterable[Resource], taken: Mapping[UUID, Sequence[Taken]], overbook: Collection[UUID]
) -> tuple[Resource, int] | None:
    for resource in resources:
        lane = _free_lane(resource, taken[resource.pk], overbook=resource.pk in overbook)
        if lane is not None:
            return resource, lane
    return None


def allocations(appointment: Appointment, place: Place) -> list[ResourceAllocation]:
    """What is to be saved so that the place is the appointment's."""
    return [
        ResourceAllocation(appointment=appointment, resource=resource, lane=lane, start=place.start, end=place.end)
        for resource, lane in place.lanes
    ]


def occupy_instead(appointment: Appointment, place: Place) -> None:
    """Allocates the place instead of what the appointment had."""
    appointment.allocations.all().delete()
    ResourceAllocation.objects.bulk_create(allocations(appointment, place))


def _release(lapsed: Sequence[Taken], now: datetime) -> bool:
    """Cancels the holds behind these; False when one is locked by somebody who may be waiting for us."""
    holds = {row.appointment for row in lapsed}
    if not holds:
        return True
    released = Appointment.objects.expired_holds(now).filter(pk__in=holds).order_by("id")
    locked = list(released.select_for_update(of=("self",), skip_locked=True))
    for hold in locked:
        expire(hold)
    return len(locked) == len(holds)


def _free_lane(resource: Resource, taken: Sequence[Taken], *, overbook: bool) -> int | None:
    """None when there is none, or when overbooked visits in further lanes already fill the capacity at some instant."""
    periods = ((floor_seconds(row.start), ceil_seconds(row.end)) for row in taken)
    if not overbook and crowded(periods, resource.capacity):
        return None
    used = {row.lane for row in taken}
    lanes = range(resource.capacity + (len(used) if overbook else 0))
    return next((lane for lane in lanes if lane not in used), None)
