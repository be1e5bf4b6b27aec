"""Booking one visit: everything is checked and allocated in one transaction, or nothing is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import ProviderProfile
from accounts.roles import Area
from appointments import signals
from appointments.models import Appointment, AppointmentType, StatusEvent
from appointments.problems import refuse
from appointments.services import rules
from appointments.services.allocation import occupied_period, occupy
from appointments.transitions import Status
from patients.models import Patient
from practices.models import Location, PracticePolicy, Resource
from practices.tenancy import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What is asked for. A `start` without an offset is the location's wall clock; `end` defaults to the type's."""

    patient: Patient
    appointment_type: AppointmentType
    provider: ProviderProfile
    location: Location
    start: datetime
    end: datetime | None = None
    resources: Sequence[Resource] = field(default=())
    hold: bool = False
    overbook_reason: str = ""
    source: str = Appointment.Source.STAFF


@transaction.atomic
def book(booking: Booking, *, by: Actor) -> Appointment:
    """The new appointment, booked or (`hold`) pending until its hold expires.

    Raises SlotUnavailable with all conflicts, ValidationProblem for what the rules refuse, Forbidden for overbooking
    without the right. About a dozen statements; waits for others who book the same resources.
    """
    own = rules.is_own(booking.provider, by)
    zone = rules.zone_at(booking.location)
    start = rules.resolve_start(booking.start, zone)
    end = _end(booking, start, zone)
    rules.check_patient(booking.patient)
    rules.check_parts(booking.appointment_type, booking.provider, booking.location)
    rules.check_time(start, end, by=by, own=own)
    rules.check_closures(start, end, booking.location, zone)
    if booking.overbook_reason:
        rules.require(by, Area.OVERBOOK, own=own)
    appointment = _save(booking, start, end, zone)
    resources = [rules.provider_resource(booking.provider), *booking.resources]
    _check_resources(resources)
    occupy(
        appointment,
        resources,
        *occupied_period(booking.appointment_type, start, end),
        overbook=bool(booking.overbook_reason),
    )
    StatusEvent.objects.create(
        appointment=appointment,
        action="hold" if booking.hold else "book",
        to_status=appointment.status,
        to_start=start,
        by_id=by.id,
        reason=booking.overbook_reason,
    )
    if not booking.hold:
        signals.appointment_booked.send(Appointment, appointment=appointment)
    return appointment


def _end(booking: Booking, start: datetime, zone: str) -> datetime:
    if booking.end is None:
        return start + timedelta(minutes=booking.appointment_type.duration)
    return rules.resolve_start(booking.end, zone)


def _check_resources(resources: Sequence[Resource]) -> None:
    if len({resource.pk for resource in resources}) != len(resources):
        raise refuse("resources", "duplicate", "Name each resource once; the provider's own is taken anyway.")
    if not all(resource.active for resource in resources):
        raise refuse("resources", "inactive", "One of these is no longer in use.")


def _save(booking: Booking, start: datetime, end: datetime, zone: str) -> Appointment:
    now = timezone.now()
    expires = None
    if booking.hold:
        policy = PracticePolicy.objects.first() or PracticePolicy()
        expires = now + timedelta(seconds=policy.hold_ttl_seconds)
    return Appointment.objects.create(
        patient=booking.patient,
        appointment_type=booking.appointment_type,
        provider=booking.provider,
        location=booking.location,
        start=start,
        end=end,
        time_zone=zone,
        status=Status.PENDING if booking.hold else Status.BOOKED,
        hold_expires_at=expires,
        overbook_reason=booking.overbook_reason,
        source=booking.source,
    )
