"""What a booking must obey on every path, whoever makes it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone

from accounts.models import ProviderProfile
from accounts.roles import Access, Area, allowed
from appointments.booking_rows import Terms
from appointments.free_times import DatedHours
from appointments.local_time import (
    LocalTimeError,
    ceil_seconds,
    days_of,
    floor_seconds,
    instant,
    instants_in,
    offset_spans,
)
from appointments.models import AppointmentType
from appointments.problems import refuse
from config.api.problem import Forbidden, ValidationProblem
from patients.models import Patient
from patients.services.parts import refuse_merged
from practices.models import Closure, Location, PracticePolicy, Resource
from practices.tenancy import Actor

MAX_LENGTH = timedelta(days=1)


def zone_at(location: Location) -> str:
    """The location's zone, else the practice's."""
    zone: str = location.time_zone or location.practice.time_zone
    return zone


def resolve_start(value: datetime, zone: str) -> datetime:
    """The instant meant by an offset, or by the location's wall clock; raises a 400 on /start when there is no one."""
    try:
        return instant(value, ZoneInfo(zone))
    except LocalTimeError as exc:
        raise refuse("start", exc.code, str(exc)) from exc


def check_patient(patient: Patient) -> None:
    refuse_merged(patient)
    if patient.deceased_at is not None:
        raise refuse("patient", "patient_deceased", "This patient has died.")
    if patient.status != "active":
        raise refuse("patient", "patient_not_active", "This patient's chart is not active.")


def check_parts(visit_type: AppointmentType, provider: ProviderProfile, location: Location) -> None:
    for field, part in (("appointment_type", visit_type), ("provider", provider), ("location", location)):
        if not part.active:
            raise refuse(field, "inactive", "This is no longer in use.")


def check_terms(start: datetime, end: datetime, zone: str, terms: Terms, *, by: Actor, own: bool) -> None:
    """Notice, horizon, length and closures. Past visits need the overbooking area's right."""
    past = may(by, Area.OVERBOOK, own=own)
    refusal = time_refusal(start, end, policy=terms, now=timezone.now(), past=past)
    if refusal is not None:
        raise refusal
    refusal = closure_refusal(start, end, terms.closures, zone)
    if refusal is not None:
        raise refusal


def time_refusal(
    start: datetime, end: datetime, *, policy: PracticePolicy | Terms, now: datetime, past: bool
) -> ValidationProblem | None:
    """Of notice, horizon and length; `past`: whether a time that has passed may be booked."""
    if not start < end <= start + MAX_LENGTH:
        return refuse("end", "invalid_length", "The end must be after the start, by a day at most.")
    if start < now:
        return None if past else refuse("start", "in_the_past", "Only some roles may book a time that has passed.")
    if start < now + timedelta(minutes=policy.min_notice_minutes):
        return refuse("start", "too_soon", f"Book at least {policy.min_notice_minutes} minutes ahead.")
    if start > now + timedelta(days=policy.horizon_days):
        return refuse("start", "too_far_ahead", f"Book at most {policy.horizon_days} days ahead.")
    return None


def check_closures(start: datetime, end: datetime, location: Location, zone: str) -> None:
    """Closures are wall-clock days, or hours of days, of the practice or the location."""
    refusal = closure_refusal(start, end, closures_between(start, end, location, zone), zone)
    if refusal is not None:
        raise refusal


def closures_between(start: datetime, end: datetime, location: Location, zone: str) -> list[DatedHours]:
    first, last = days_of(offset_spans(ZoneInfo(zone), floor_seconds(start), ceil_seconds(end)))
    closures = Closure.objects.filter(
        Q(location=location) | Q(location=None),
        start_date__lte=date.fromordinal(last),
        end_date__gte=date.fromordinal(first),
    ).values_list("start_date", "end_date", "start_time", "end_time")
    return [DatedHours(*closure) for closure in closures]


def closure_refusal(
    start: datetime, end: datetime, closures: Sequence[DatedHours], zone: str
) -> ValidationProblem | None:
    spans = offset_spans(ZoneInfo(zone), floor_seconds(start), ceil_seconds(end))
    days = days_of(spans)
    if any(instants_in(closure.windows(*days), spans) for closure in closures):
        return refuse("start", "closed", "The location is closed at this time.")
    return None


def may(by: Actor, area: Area, *, own: bool, access: Access = Access.WRITE) -> bool:
    """The system does what its code says; a user what their roles allow."""
    return by.kind == "system" or allowed(by.roles, area, access, own=own)


def overbookable(resources: Sequence[Resource], provider: ProviderProfile, by: Actor) -> set[UUID]:
    """The resources that the actor may overbook: any, or where the right is for own visits only the own calendar."""
    if may(by, Area.OVERBOOK, own=False):
        return {resource.pk for resource in resources}
    require(by, Area.OVERBOOK, own=is_own(provider, by))
    return {resource.pk for resource in resources if resource.provider_id == provider.pk}


def require(by: Actor, area: Area, *, own: bool, access: Access = Access.WRITE) -> None:
    if not may(by, area, own=own, access=access):
        raise Forbidden()


def is_own(provider: ProviderProfile, by: Actor) -> bool:
    """Whether the acting user is this provider."""
    return by.id is not None and provider.membership.user_id == by.id


def provider_resource(provider: ProviderProfile) -> Resource:
    return usable(Resource.objects.filter(provider=provider, active=True).first())


def usable(calendar: Resource | None) -> Resource:
    """A provider's calendar; raises a 400 when there is none."""
    if calendar is None:
        raise refuse("provider", "no_calendar", "This provider has no calendar to book in.")
    return calendar
