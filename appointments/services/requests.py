"""What a caller asks for: a booking with any provider, a dry run, and a refusal that says what would work instead."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from django.db.models import Count, Q

from accounts.models import ProviderProfile
from appointments.models import Appointment
from appointments.problems import SlotUnavailable, refuse
from appointments.services import rules
from appointments.services.booking import Booking, Plan, book, plan
from appointments.services.rescheduling import Move, reschedule
from practices.tenancy import Actor

T = TypeVar("T")


def book_for(wish: Mapping[str, Any], *, any_provider: bool, by: Actor) -> Appointment:
    """Books what the fields of Booking in `wish` say; with `any_provider` with the least loaded who is free."""
    return _first_free(wish, lambda booking: book(booking, by=by), any_provider=any_provider)


def preview(wish: Mapping[str, Any], *, any_provider: bool, by: Actor) -> dict[str, Any]:
    """Where `book_for` would put the visit: start, end, provider, location, time_zone. Writes nothing."""

    def place(booking: Booking) -> dict[str, Any]:
        planned: Plan = plan(booking, by=by)
        return {
            "start": planned.start,
            "end": planned.end,
            "provider": booking.provider.pk,
            "location": booking.location.pk,
            "time_zone": planned.time_zone,
        }

    return _first_free(wish, place, any_provider=any_provider)


def move(appointment: Appointment, where: Move, *, by: Actor) -> Appointment:
    """Reschedules; a refusal carries suggestions."""
    try:
        return reschedule(appointment, where, by=by)
    except SlotUnavailable as refusal:
        provider, location = where.provider or appointment.provider, where.location or appointment.location
        wish = Booking(
            patient=appointment.patient,
            appointment_type=appointment.appointment_type,
            provider=provider,
            location=location,
            start=where.start,
        )
        raise _with_suggestions(refusal, wish, any_provider=False) from refusal


def _first_free(wish: Mapping[str, Any], attempt: Callable[[Booking], T], *, any_provider: bool) -> T:
    """The first attempt that finds its place; else the conflicts of all, with suggestions."""
    refusals: list[SlotUnavailable] = []
    booking = None
    for booking in _bookings(wish, any_provider=any_provider):
        try:
            return attempt(booking)
        except SlotUnavailable as refusal:
            refusals.append(refusal)
    if booking is None:
        raise refuse("any_provider", "no_provider", "No provider works at this location.")
    conflicts = [conflict for refusal in refusals for conflict in refusal.conflicts]
    raise _with_suggestions(SlotUnavailable(conflicts), booking, any_provider=any_provider) from refusals[-1]


def _bookings(wish: Mapping[str, Any], *, any_provider: bool) -> Iterator[Booking]:
    if not any_provider:
        yield Booking(**wish)
        return
    for provider in _least_loaded(wish):
        yield Booking(**wish, provider=provider)


def _least_loaded(wish: Mapping[str, Any]) -> list[ProviderProfile]:
    """Providers who work at the location, those with the fewest visits around the wished time first. One statement."""
    location = wish["location"]
    start = rules.resolve_start(wish["start"], rules.zone_at(location))
    near = Q(
        resources__allocations__blocking=True,
        resources__allocations__start__gte=start - timedelta(hours=12),
        resources__allocations__start__lt=start + timedelta(hours=12),
    )
    works_here = ProviderProfile.objects.filter(
        active=True, resources__active=True, resources__availability_rules__location=location
    )
    return list(
        ProviderProfile.objects.filter(pk__in=works_here.values("pk"))
        .annotate(load=Count("resources__allocations", filter=near, distinct=True))
        .order_by("load", "id")
    )


def _with_suggestions(refusal: SlotUnavailable, wish: Booking, *, any_provider: bool) -> SlotUnavailable:
    return refusal
