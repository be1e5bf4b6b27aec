"""Changing an appointment's status, by the table in `appointments.transitions` and nothing else."""

from datetime import datetime, timedelta

from django.utils import timezone

from appointments import signals
from appointments.models import Appointment, StatusEvent
from appointments.problems import HoldExpired, InvalidTransition, refuse
from appointments.services import rules
from appointments.services.allocation import Place, free, occupy_instead
from appointments.services.demand import demand_again
from appointments.services.groups import leave
from appointments.services.seating import find_seat, take
from appointments.transitions import BLOCKING, TRANSITIONS, Action, Status, need
from practices.models import CancellationReason, PracticePolicy
from practices.tenancy import Actor

_STAMPS = {
    Status.ARRIVED: "arrived_at",
    Status.CHECKED_IN: "checked_in_at",
    Status.FULFILLED: "fulfilled_at",
}
_NOT_BOOKED = (Status.PROPOSED, Status.PENDING, Status.CANCELLED, Status.WAITLIST)
"""From here `booked` is a booking, which has to obey the rules of one; from elsewhere it takes a step back."""
_ORDER = (Status.BOOKED, Status.ARRIVED, Status.CHECKED_IN, Status.FULFILLED)


def cancel(
    appointment: Appointment, *, by: Actor, cancellation_reason: CancellationReason | None = None, note: str = ""
) -> Appointment:
    """Frees the time. Raises InvalidTransition, or a 400 when the practice wants a reason and there is none."""
    policy = PracticePolicy.objects.first()
    if policy is not None and policy.require_cancel_reason and cancellation_reason is None:
        raise refuse("cancellation_reason", "required", "This practice wants to know why.")
    appointment.cancellation_reason = cancellation_reason
    return change_status(appointment, Action.CANCEL, by=by, reason=note)


def change_status(appointment: Appointment, action: Action, *, by: Actor, reason: str = "") -> Appointment:
    """Call it with the row locked. Raises InvalidTransition, Forbidden, HoldExpired; undoing a cancellation or
    confirming what was only proposed raises SlotUnavailable when the time is taken.
    """
    now = timezone.now()
    before = Status(appointment.status)
    after = _target(appointment, action, now)
    needed = need(before, action)
    rules.require(by, needed.area, access=needed.access, own=rules.is_own(appointment.provider, by))
    if after == Status.BOOKED and before in _NOT_BOOKED:
        rules.check_patient(appointment.patient)
        _check_closures(appointment)
    place = _place_again(appointment) if before not in BLOCKING and after in BLOCKING else None
    _stamp(appointment, before, after, now)
    appointment.status = after
    leaves = before in BLOCKING and after not in BLOCKING
    if place is not None:
        take(appointment, place)
    elif leaves:
        leave(appointment)
    appointment.save()
    if place is not None:
        occupy_instead(appointment, place)
    elif leaves:
        free(appointment)
    StatusEvent.objects.create(
        appointment=appointment, action=action, from_status=before, to_status=after, reason=reason, by_id=by.id
    )
    _announce(appointment, before, after)
    return appointment


def _target(appointment: Appointment, action: Action, now: datetime) -> Status:
    if action == Action.CONFIRM and appointment.hold_expired(now):
        raise HoldExpired()
    allowed = appointment.allowed_transitions(now)
    if action not in allowed:
        raise InvalidTransition(appointment.status, allowed)
    return TRANSITIONS[Status(appointment.status)][action]


def _stamp(appointment: Appointment, before: Status, after: Status, now: datetime) -> None:
    """Notes when the patient came and went; going back takes the later notes back."""
    if before in (Status.PROPOSED, Status.PENDING, Status.BOOKED, Status.WAITLIST) and after == Status.BOOKED:
        appointment.confirmed_at, appointment.hold_expires_at = now, None
    elif after in _ORDER and (before not in _ORDER or _ORDER.index(after) < _ORDER.index(before)):
        for later in _ORDER[_ORDER.index(after) + 1 :]:
            setattr(appointment, _STAMPS[later], None)
    if after in _STAMPS and getattr(appointment, _STAMPS[after]) is None:
        setattr(appointment, _STAMPS[after], now)
    if before == Status.CANCELLED:
        appointment.cancellation_reason, appointment.late_cancel, appointment.left_unseen = None, False, False
    if after == Status.CANCELLED:
        appointment.left_unseen = before in (Status.ARRIVED, Status.CHECKED_IN)
        appointment.late_cancel = before == Status.BOOKED and _is_late(appointment, now)
    if after not in BLOCKING:
        appointment.flow_stage, appointment.hold_expires_at = "", None


def _is_late(appointment: Appointment, now: datetime) -> bool:
    """Whether less notice is left than the policy wants; the reason says whose fault it was."""
    policy = PracticePolicy.objects.first() or PracticePolicy()
    return appointment.start is not None and appointment.start - now < timedelta(hours=policy.cancel_notice_hours)


def _check_closures(appointment: Appointment) -> None:
    if appointment.start is not None and appointment.end is not None:
        zone = rules.zone_at(appointment.location)
        rules.check_closures(appointment.start, appointment.end, appointment.location, zone)


def _place_again(appointment: Appointment) -> Place:
    if appointment.start is None or appointment.end is None:
        raise InvalidTransition(appointment.status, [])
    demand = demand_again(appointment, appointment.provider, appointment.location)
    return find_seat(
        appointment.appointment_type,
        appointment.provider,
        appointment.location,
        appointment.start,
        appointment.end,
        appointment.patient,
        demand,
        but=appointment,
    )


def _announce(appointment: Appointment, before: Status, after: Status) -> None:
    if after == Status.CANCELLED:
        signals.appointment_cancelled.send(Appointment, appointment=appointment, expired=False)
    elif after == Status.BOOKED and before in _NOT_BOOKED:
        signals.appointment_booked.send(Appointment, appointment=appointment)
