"""Moving a visit: it keeps its id and status, and its old time when the new one is refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import ProviderProfile
from appointments import signals
from appointments.booking_rows import read_terms
from appointments.models import Appointment, StatusEvent
from appointments.problems import InvalidTransition
from appointments.services import rules
from appointments.services.allocation import Place, occupy_instead
from appointments.services.demand import demand_again
from appointments.services.seating import find_seat, take
from appointments.transitions import MOVABLE
from practices.models import Location
from practices.tenancy import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where a visit goes. What is None stays; without an `end` the length stays."""

    start: datetime
    end: datetime | None = None
    provider: ProviderProfile | None = None
    location: Location | None = None
    overbook_reason: str = ""


def reschedule(appointment: Appointment, move: Move, *, by: Actor) -> Appointment:
    """Call it with the row locked. Raises as `book` does, and InvalidTransition once the patient has come."""
    now = timezone.now()
    if appointment.status not in MOVABLE or appointment.hold_expired(now):
        raise InvalidTransition(appointment.status, appointment.allowed_transitions(now))
    provider, location = move.provider or appointment.provider, move.location or appointment.location
    zone = rules.zone_at(location)
    start = rules.resolve_start(move.start, zone)
    end = rules.resolve_start(move.end, zone) if move.end else start + _length(appointment)
    _check(appointment, provider, location, start, end, zone, by)
    before, freed = appointment.start, occupied(appointment)
    place = _place(appointment, provider, location, start, end, overbook_by=by if move.overbook_reason else None)
    appointment.start, appointment.end, appointment.time_zone = start, end, zone
    appointment.provider, appointment.location = provider, location
    appointment.overbook_reason = move.overbook_reason
    appointment.confirmed_at = None
    appointment.detached = appointment.series_id is not None
    goes = place is not None and take(appointment, place)
    appointment.save()
    if place is not None and goes:
        occupy_instead(appointment, place)
        signals.time_freed.send(Appointment, appointment=appointment, **freed)
    StatusEvent.objects.create(
        appointment=appointment,
        action="reschedule",
        from_status=appointment.status,
        to_status=appointment.status,
        from_start=before,
        to_start=start,
        by_id=by.id,
        reason=move.overbook_reason,
    )
    signals.appointment_rescheduled.send(Appointment, appointment=appointment, from_start=before)
    return appointment


def occupied(appointment: Appointment) -> dict[str, Any]:
    """What moving it away will free, as `signals.time_freed` names it."""
    names = ("start", "end", "provider_id", "location_id")
    return {name: getattr(appointment, name) for name in names}


def _length(appointment: Appointment) -> timedelta:
    if appointment.start is None or appointment.end is None:
        return timedelta(minutes=appointment.appointment_type.duration)
    return appointment.end - appointment.start


def _check(
    appointment: Appointment,
    provider: ProviderProfile,
    location: Location,
    start: datetime,
    end: datetime,
    zone: str,
    by: Actor,
) -> None:
    own = rules.is_own(provider, by)
    rules.check_patient(appointment.patient)
    rules.check_parts(appointment.appointment_type, provider, location)
    rules.check_terms(start, end, zone, read_terms(provider, location, start), by=by, own=own)


def _place(
    appointment: Appointment,
    provider: ProviderProfile,
    location: Location,
    start: datetime,
    end: datetime,
    *,
    overbook_by: Actor | None,
) -> Place | None:
    """None for a visit that blocks no time. The provider may be another now; whatever else it occupies stays."""
    if not appointment.blocks:
        return None
    demand = demand_again(appointment, provider, location)
    overbook = rules.overbookable(demand.resources, provider, overbook_by) if overbook_by else ()
    kind, patient = appointment.appointment_type, appointment.patient
    return find_seat(kind, provider, location, start, end, patient, demand, but=appointment, overbook=overbook)
