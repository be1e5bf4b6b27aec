"""Finding a visit its time: a seat in a group that is there already, or a place of its own."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from accounts.models import ProviderProfile
from appointments.models import Appointment, AppointmentType, GroupVisit
from appointments.problems import refuse
from appointments.services import groups
from appointments.services.allocation import Period, Place, expire, find_place, lock, occupied_period
from appointments.services.demand import Demand
from patients.models import Patient
from practices.models import Location


def find_seat(
    visit_type: AppointmentType,
    provider: ProviderProfile,
    location: Location,
    start: datetime,
    end: datetime,
    patient: Patient,
    demand: Demand,
    *,
    but: Appointment | None = None,
    overbook: Collection[UUID] = (),
) -> Place:
    """As `find_place`, for the visit's time with its buffers; where a group of the type has a seat left, that one.

    `but` is the visit that is moved: its own time doesn't count, unless others of its group need it.
    """
    period = occupied_period(visit_type, start, end)
    own = but.pk if but is not None and _is_alone(but) else None
    if visit_type.max_attendees > 1:
        lock([resource.pk for resource in demand.resources])
        group = _open_group(visit_type, provider, location, start, end)
        if group is not None:
            _check_attends_once(group, patient, but)
            return Place([], *period, group)
    return find_place(demand, *period, but=own, overbook=overbook)


def take(appointment: Appointment, place: Place) -> bool:
    """Notes the place in the appointment, before that is saved; False when it is where it was."""
    if place.group is not None and place.group.pk == appointment.group_id:
        return False
    groups.leave(appointment)
    if place.group is not None:
        groups.take_seat(appointment, place.group)
    elif appointment.appointment_type.max_attendees > 1:
        groups.begin(appointment)
    return True


def _open_group(
    visit_type: AppointmentType, provider: ProviderProfile, location: Location, start: datetime, end: datetime
) -> GroupVisit | None:
    """The fullest that has begun and has a seat left, locked; seats of holds that have run out are given back first."""
    there = GroupVisit.objects.filter(
        appointment_type=visit_type, provider=provider, location=location, start=start, end=end, taken__gte=1
    )
    list(there.order_by("id").select_for_update(of=("self",)))
    holds = Appointment.objects.expired_holds(timezone.now()).filter(group__in=there).order_by("id")
    for hold in holds.select_for_update(of=("self",), skip_locked=True):
        expire(hold)
    found: GroupVisit | None = there.filter(taken__lt=F("seats")).order_by("-taken", "id").first()
    return found


def open_groups(
    visit_type: AppointmentType,
    provider: ProviderProfile,
    location: Location,
    periods: Collection[Period],
    patient: Patient,
) -> dict[Period, GroupVisit]:
    """The groups at these times that have a seat left and not this patient among them, locked; one statement."""
    there = GroupVisit.objects.filter(
        appointment_type=visit_type,
        provider=provider,
        location=location,
        start__in=[start for start, _ in periods],
        taken__gte=1,
        taken__lt=F("seats"),
    )
    joined = Appointment.objects.filter(patient=patient, group__isnull=False).values("group")
    found = there.exclude(pk__in=joined).order_by("id").select_for_update(of=("self",))
    return {(group.start, group.end): group for group in found}


def _check_attends_once(group: GroupVisit, patient: Patient, but: Appointment | None) -> None:
    seats = Appointment.objects.filter(group=group, patient=patient)
    if seats.exclude(pk=but.pk if but is not None else None).exists():
        raise refuse("patient", "already_attending", "This patient already has a seat in this group.")


def _is_alone(appointment: Appointment) -> bool:
    return appointment.group_id is None or not (
        Appointment.objects.filter(group=appointment.group_id).exclude(pk=appointment.pk).exists()
    )
