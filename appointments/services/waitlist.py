"""The waitlist: who would take a time, and holding one for them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from accounts.models import ProviderProfile
from accounts.roles import Area
from appointments import signals
from appointments.calendars import Search, search
from appointments.free_times import FreeTime
from appointments.local_time import ceil_seconds
from appointments.models import Appointment, WaitlistEntry, WaitlistOffer, WaitlistWindow
from appointments.problems import NoFreeTime, NotWaiting, SlotUnavailable, refuse
from appointments.services import rules
from appointments.services.booking import Booking, book
from appointments.services.requests import book_for
from appointments.services.status import change_status
from appointments.transitions import Action
from config.api.problem import ValidationProblem
from practices.models import Location, PracticePolicy
from practices.tenancy import Actor

AHEAD = timedelta(days=60)
TRIES = 5
"""Times that somebody else took meanwhile, before an entry is left for the next occasion."""

Status = WaitlistEntry.Status
Outcome = WaitlistOffer.Outcome


@transaction.atomic
def add(*, by: Actor, windows: Sequence[Mapping[str, Any]] = (), **fields: Any) -> WaitlistEntry:
    """A new entry. Raises a 400 for a patient, type, provider or location that can't be booked."""
    rules.require(by, Area.APPOINTMENTS, own=False)
    rules.check_patient(fields["patient"])
    _check_parts(fields)
    entry: WaitlistEntry = WaitlistEntry.objects.create(**fields)
    _replace_windows(entry, windows)
    return entry


@transaction.atomic
def change(
    entry: WaitlistEntry, *, by: Actor, windows: Sequence[Mapping[str, Any]] | None = None, **fields: Any
) -> WaitlistEntry:
    """Of an entry that waits or has an open offer, which it keeps."""
    rules.require(by, Area.APPOINTMENTS, own=False)
    _check_status(entry, Status.WAITING, Status.OFFERED)
    _check_parts(fields)
    for name, value in fields.items():
        setattr(entry, name, value)
    entry.save()
    if windows is not None:
        _replace_windows(entry, windows)
    return entry


@transaction.atomic
def withdraw(entry: WaitlistEntry, *, by: Actor) -> WaitlistEntry:
    """Call it with the row locked. A time that is held for it becomes free, for the next in line."""
    rules.require(by, Area.APPOINTMENTS, own=False)
    _check_status(entry, Status.WAITING, Status.OFFERED)
    entry.status = Status.WITHDRAWN
    entry.save(update_fields=["status"])
    for held in Appointment.objects.filter(waitlist_offers__entry=entry, waitlist_offers__outcome=Outcome.OPEN):
        hold = Appointment.objects.select_for_update(of=("self",), no_key=True).get(pk=held.pk)
        change_status(hold, Action.CANCEL, by=by)
    return entry


@transaction.atomic
def offer(
    entry: WaitlistEntry,
    *,
    by: Actor,
    start: datetime | None = None,
    provider: ProviderProfile | None = None,
    location: Location | None = None,
) -> Appointment:
    """The hold of this time, else of the first free one that the entry wants. Call it with the row locked.

    Raises NotWaiting, NoFreeTime, and what booking raises.
    """
    rules.require(by, Area.APPOINTMENTS, own=False)
    _check_status(entry, Status.WAITING)
    provider, location = provider or entry.provider, location or entry.location
    if start is None:
        return _offer_first(entry, provider, location, by=by)
    if location is None:
        raise refuse("location", "required", "Say where: the entry is for any location.")
    until = _until(rules.resolve_start(start, rules.zone_at(location)))
    wish = {**_wish(entry), "provider": provider, "location": location, "start": start, "hold_until": until}
    return _offered(entry, book_for(wish, any_provider=provider is None, by=by))


def wanted_of(entry: WaitlistEntry, free: Iterable[FreeTime]) -> list[FreeTime]:
    """Those of the free times that the entry wants, as many as are worth a try."""
    length = timedelta(minutes=entry.appointment_type.duration)

    def wants(second: int, zone: ZoneInfo) -> bool:
        start = datetime.fromtimestamp(second, UTC)
        return entry.wants(start, start + length, zone)

    return list(islice((each for each in free if wants(each[0], each[1].zone)), TRIES))


def try_times(entry: WaitlistEntry, wanted: Iterable[FreeTime], *, by: Actor) -> Appointment | None:
    """The hold of the first of these times that nobody else takes meanwhile, if any."""
    for second, calendar in wanted:
        start = datetime.fromtimestamp(second, UTC)
        try:
            with transaction.atomic():
                return _offered(entry, book(_booking(entry, start, calendar.provider, calendar.location), by=by))
        except (SlotUnavailable, ValidationProblem):
            continue
    return None


def accept(appointment: Appointment) -> None:
    """The hold was confirmed."""
    _settle(appointment, Outcome.ACCEPTED, Status.BOOKED)


def end(appointment: Appointment) -> None:
    """The hold was given up or has run out: the patient waits again, for another time."""
    _settle(appointment, Outcome.ENDED, Status.WAITING)


def _settle(appointment: Appointment, outcome: str, status: str) -> None:
    held = WaitlistOffer.objects.filter(appointment=appointment, outcome=Outcome.OPEN).first()
    if held is None:
        return
    held.outcome = outcome
    held.save(update_fields=["outcome", "updated_at"])
    entry = WaitlistEntry.objects.select_for_update(of=("self",), no_key=True).get(pk=held.entry_id)
    if entry.status == Status.OFFERED:
        entry.status = status
        entry.save(update_fields=["status"])


def _offer_first(
    entry: WaitlistEntry, provider: ProviderProfile | None, location: Location | None, *, by: Actor
) -> Appointment:
    now = timezone.now()
    begin = max(now, datetime.combine(entry.earliest_date, time(0), UTC) - timedelta(days=1))
    asked = Search(
        entry.appointment_type,
        ceil_seconds(begin),
        ceil_seconds(begin + AHEAD),
        provider=provider.pk if provider else None,
        location=location.pk if location else None,
    )
    held = try_times(entry, wanted_of(entry, search(asked, now=now)), by=by)
    if held is None:
        raise NoFreeTime()
    return held


def _booking(entry: WaitlistEntry, start: datetime, provider: UUID, location: UUID | None) -> Booking:
    return Booking(
        **_wish(entry),
        provider=ProviderProfile.objects.get(pk=provider),
        location=Location.objects.get(pk=location),
        start=start,
        hold_until=_until(start),
    )


def _wish(entry: WaitlistEntry) -> dict[str, Any]:
    return {"patient": entry.patient, "appointment_type": entry.appointment_type, "hold": True}


def _offered(entry: WaitlistEntry, hold: Appointment) -> Appointment:
    WaitlistOffer.objects.create(entry=entry, appointment=hold)
    entry.status = Status.OFFERED
    entry.save(update_fields=["status"])
    signals.time_offered.send(Appointment, appointment=hold)
    return hold


def _until(start: datetime) -> datetime:
    """An offer can be taken for as long as the policy says, and until the visit begins."""
    policy = PracticePolicy.objects.first() or PracticePolicy()
    return min(timezone.now() + timedelta(minutes=policy.offer_ttl_minutes), start)


def _check_status(entry: WaitlistEntry, *allowed: str) -> None:
    if entry.status not in allowed:
        raise NotWaiting(entry.status)


def _check_parts(fields: Mapping[str, Any]) -> None:
    for name in ("appointment_type", "provider", "location"):
        part = fields.get(name)
        if part is not None and not part.active:
            raise refuse(name, "inactive", "This is no longer in use.")


def _replace_windows(entry: WaitlistEntry, windows: Sequence[Mapping[str, Any]]) -> None:
    entry.windows.all().delete()
    WaitlistWindow.objects.bulk_create(WaitlistWindow(entry=entry, **window) for window in windows)
