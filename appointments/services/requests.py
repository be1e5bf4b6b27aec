"""What a caller asks for: a booking with any provider, a dry run, and a refusal that says what would work instead."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from accounts.models import ProviderProfile
from appointments.calendars import Search, load
from appointments.free_times import fits
from appointments.local_time import floor_seconds
from appointments.models import Appointment, GroupVisit
from appointments.problems import Occupied, SlotUnavailable
from appointments.services import rules
from appointments.services.booking import Booking, Plan, book, end_of, plan
from appointments.services.rescheduling import Move, reschedule
from appointments.suggestions import suggestions
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
    kind = appointment.appointment_type
    provider, location = where.provider or appointment.provider, where.location or appointment.location
    try:
        with transaction.atomic():
            return reschedule(appointment, where, by=by)
    except SlotUnavailable as refusal:
        start = rules.resolve_start(where.start, rules.zone_at(location))
        others = suggestions(appointment_type=kind, start=start, provider=provider.pk, location=location.pk)
        raise SlotUnavailable(refusal.conflicts, others) from refusal


def _first_free(wish: Mapping[str, Any], attempt: Callable[[Booking], T], *, any_provider: bool) -> T:
    """The first attempt that finds its place; else the conflicts of all, with suggestions."""
    providers = _open_providers(wish) if any_provider else [wish["provider"]]
    conflicts: list[Occupied] = []
    for provider in providers:
        try:
            with transaction.atomic():  # its rollback lets go of the locks, so that the next in line need not wait
                return attempt(Booking(**{**wish, "provider": provider}))
        except SlotUnavailable as refusal:
            conflicts.extend(refusal.conflicts)
    others = suggestions(
        appointment_type=wish["appointment_type"],
        start=_start(wish),
        provider=None if any_provider else wish["provider"].pk,
        location=wish["location"].pk,
    )
    raise SlotUnavailable(conflicts, others)


def _start(wish: Mapping[str, Any]) -> datetime:
    return rules.resolve_start(wish["start"], rules.zone_at(wish["location"]))


def _open_providers(wish: Mapping[str, Any]) -> list[ProviderProfile]:
    """Providers whose hours cover the visit, whatever is booked.

    Who has a group with a free seat then comes first, the fullest before others; then who has the fewest visits around.
    """
    start = _start(wish)
    second = floor_seconds(start)
    asked = Search(wish["appointment_type"], second, second + 1, location=wish["location"].pk)
    calendars = [replace(calendar, taken=(), lacking=()) for calendar in load(asked, now=timezone.now())]
    open_now = [calendar.provider for calendar in calendars if fits(calendar, asked.visit, second)]
    near = Q(
        resources__allocations__blocking=True,
        resources__allocations__start__range=(start - timedelta(hours=12), start + timedelta(hours=12)),
    )
    busy = Count("resources__allocations", filter=near, distinct=True)
    found = ProviderProfile.objects.filter(pk__in=open_now).annotate(load=busy).order_by("load", "id")
    seated = _seated(wish, start) if wish["appointment_type"].max_attendees > 1 else {}
    return sorted(found, key=lambda provider: -seated.get(provider.pk, 0))


def _seated(wish: Mapping[str, Any], start: datetime) -> dict[UUID, int]:
    """By provider, how many are in the fullest group that the visit could join."""
    kind, location = wish["appointment_type"], wish["location"]
    end = end_of(kind, start, wish.get("end"), rules.zone_at(location))
    there = GroupVisit.objects.with_seat(timezone.now()).filter(
        appointment_type=kind, location=location, start=start, end=end
    )
    return dict(there.order_by("staying").values_list("provider_id", "staying"))
