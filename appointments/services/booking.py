"""Booking one visit: everything is checked and allocated in one transaction, or nothing is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.models import ProviderProfile
from appointments import signals
from appointments.booking_rows import read_terms
from appointments.models import Appointment, AppointmentType, StatusEvent
from appointments.services import rules
from appointments.services.allocation import Place, allocations
from appointments.services.demand import demand_of
from appointments.services.seating import find_seat, take
from appointments.transitions import Status
from patients.models import Patient
from practices.inserts import insert
from practices.models import Location, PracticePolicy, Resource
from practices.tenancy import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What is asked for. A `start` without an offset is the location's wall clock; `end` defaults to the type's.

    Without `hold_until` a hold runs out when the practice's policy says.
    """

    patient: Patient
    appointment_type: AppointmentType
    provider: ProviderProfile
    location: Location
    start: datetime
    end: datetime | None = None
    resources: Sequence[Resource] = field(default=())
    hold: bool = False
    hold_until: datetime | None = None
    overbook_reason: str = ""
    notes: str = ""
    source: str = Appointment.Source.STAFF


@dataclass(frozen=True, slots=True)
class Plan:
    """A booking that obeys the rules and has found its place; good until the transaction ends."""

    start: datetime
    end: datetime
    time_zone: str
    place: Place


def plan(booking: Booking, *, by: Actor) -> Plan:
    """Checks everything and writes nothing of its own; waits for others who book the same resources.

    Raises SlotUnavailable with all conflicts, ValidationProblem for what the rules refuse, Forbidden for overbooking
    without the right.
    """
    own = rules.is_own(booking.provider, by)
    zone = rules.zone_at(booking.location)
    start = rules.resolve_start(booking.start, zone)
    end = end_of(booking.appointment_type, start, booking.end, zone)
    rules.check_patient(booking.patient)
    rules.check_parts(booking.appointment_type, booking.provider, booking.location)
    terms = read_terms(booking.provider, booking.location, start)
    rules.check_terms(start, end, zone, terms, by=by, own=own)
    demand = demand_of(booking.appointment_type, rules.usable(terms.calendar), booking.location, booking.resources)
    overbook = rules.overbookable(demand.resources, booking.provider, by) if booking.overbook_reason else ()
    place = find_seat(
        booking.appointment_type,
        booking.provider,
        booking.location,
        start,
        end,
        booking.patient,
        demand,
        overbook=overbook,
    )
    return Plan(start, end, zone, place)


def book(booking: Booking, *, by: Actor) -> Appointment:
    """The new appointment, booked or (`hold`) pending until its hold expires. Raises as `plan` does.

    Runs in the scope's transaction. When it raises it has written nothing but holds it found expired, so the caller
    may try another place in the same transaction.
    """
    planned = plan(booking, by=by)
    appointment = _new(booking, planned)
    take(appointment, planned.place)
    event = StatusEvent(
        appointment=appointment,
        action="hold" if booking.hold else "book",
        to_status=appointment.status,
        to_start=planned.start,
        by_id=by.id,
        reason=booking.overbook_reason,
    )
    insert([appointment, *allocations(appointment, planned.place), event])
    if not booking.hold:
        signals.appointment_booked.send(Appointment, appointment=appointment)
    return appointment


def end_of(visit_type: AppointmentType, start: datetime, end: datetime | None, zone: str) -> datetime:
    """As asked for, else by the type's length."""
    return start + timedelta(minutes=visit_type.duration) if end is None else rules.resolve_start(end, zone)


def _new(booking: Booking, planned: Plan) -> Appointment:
    now = timezone.now()
    expires = booking.hold_until
    if booking.hold and expires is None:
        policy = PracticePolicy.objects.first() or PracticePolicy()
        expires = now + timedelta(seconds=policy.hold_ttl_seconds)
    return Appointment(
        patient=booking.patient,
        appointment_type=booking.appointment_type,
        provider=booking.provider,
        location=booking.location,
        start=planned.start,
        end=planned.end,
        time_zone=planned.time_zone,
        status=Status.PENDING if booking.hold else Status.BOOKED,
        hold_expires_at=expires,
        overbook_reason=booking.overbook_reason,
        notes=booking.notes,
        source=booking.source,
    )
