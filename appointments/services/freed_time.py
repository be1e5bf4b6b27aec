"""Offering a time that became free to those on the waitlist, the best match first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from appointments.calendars import Search, search
from appointments.free_times import FreeTime
from appointments.local_time import ceil_seconds, floor_seconds
from appointments.models import Appointment, AppointmentType, WaitlistEntry, WaitlistOffer
from appointments.services.waitlist import try_times, wanted_of
from practices.tenancy import Actor

CANDIDATES = 100
"""Entries looked at for one freed time; whoever comes later waits for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreedTime:
    """A stretch of a provider's time that nobody occupies any more."""

    provider: UUID
    location: UUID
    start: datetime
    end: datetime


def offer_freed_time(freed: FreedTime, *, by: Actor) -> list[Appointment]:
    """The holds, of as much of it as is wanted. Nobody is offered the same time twice.

    Any number of these may run at once: an entry that is being offered something elsewhere is passed over, and the
    time is taken as any booking takes it.
    """
    found: dict[UUID, list[FreeTime]] = {}
    holds: list[Appointment] = []
    for waiting in _candidates(freed):
        kind = waiting.appointment_type
        if kind.pk not in found:
            found[kind.pk] = _free_in(freed, kind)
        wanted = wanted_of(waiting, found[kind.pk])
        entry = _claim(waiting.pk) if wanted else None
        hold = try_times(entry, wanted, by=by) if entry else None
        if hold is not None:
            holds.append(hold)
            found.clear()  # less is free than was
    return holds


def _claim(entry: UUID) -> WaitlistEntry | None:
    """Locked until the end of the transaction; None when somebody has it in hand, or it waits no longer."""
    rows = WaitlistEntry.objects.waiting().select_for_update(of=("self",), skip_locked=True)
    claimed: WaitlistEntry | None = rows.filter(pk=entry).first()
    return claimed


def _candidates(freed: FreedTime) -> Iterable[WaitlistEntry]:
    """Who may want it by place, provider and day, and wasn't offered it before; the first in line first."""
    offered = WaitlistOffer.objects.filter(
        appointment__provider=freed.provider, appointment__start__lt=freed.end, appointment__end__gt=freed.start
    )
    leeway = timedelta(days=1)  # which date it is depends on the place
    days = (freed.start - leeway).date(), (freed.end + leeway).date()
    waiting = WaitlistEntry.objects.waiting().for_place(freed.provider, freed.location).within(*days)
    new = waiting.exclude(pk__in=offered.values("entry")).select_related("appointment_type")
    return list(new.prefetch_related("windows")[:CANDIDATES])


def _free_in(freed: FreedTime, kind: AppointmentType) -> list[FreeTime]:
    """The times that can be booked there now and lie in what was freed."""
    last = floor_seconds(freed.end - timedelta(minutes=kind.duration))
    asked = Search(kind, ceil_seconds(freed.start), last + 1, provider=freed.provider, location=freed.location)
    return search(asked, now=timezone.now())
