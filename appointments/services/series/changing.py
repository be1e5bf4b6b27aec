"""Moving and ending the visits of a series: one, one and those that follow, or all. The past never changes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from appointments import signals
from appointments.models import Appointment, AppointmentSeries, ResourceAllocation, StatusEvent
from appointments.problems import NothingToChange, refuse
from appointments.services import rules
from appointments.services.allocation import Period, Place, claim, occupied_period
from appointments.services.demand import demand_again
from appointments.services.requests import move as move_one
from appointments.services.rescheduling import Move, occupied
from appointments.services.series.booking import occupy_each
from appointments.services.series.planning import Occurrence, OnConflict, examine, lay_out, settle
from appointments.services.series.shifting import SeriesMove, Shift, shift_of, split
from appointments.services.status import cancel
from appointments.transitions import BLOCKING, MOVABLE, TRANSITIONS, Action
from practices.models import CancellationReason
from practices.tenancy import Actor

_TOGETHER = BLOCKING & MOVABLE
"""Statuses of visits that are moved together: the patient hasn't come yet, and a time is theirs."""


class Scope(models.TextChoices):
    """Which visits of a series: `following` is the named one and the later ones."""

    THIS = "this"
    FOLLOWING = "following"
    ALL = "all"


@transaction.atomic
def reschedule_series(
    series: AppointmentSeries,
    scope: str,
    move: SeriesMove,
    *,
    appointment: Appointment | None,
    by: Actor,
    on_conflict: str = OnConflict.REFUSE,
) -> AppointmentSeries:
    """The series that the moved visits belong to now: a new one when earlier visits keep the old rule.

    Call it with the series locked. Detached visits keep their time. With `skip` a visit whose new time is taken keeps
    its old one and is detached. Raises SlotUnavailable with `occurrences`, NothingToChange, ValidationProblem.
    """
    if scope == Scope.THIS:
        _move_this(_named(series, appointment), move, by)
        return series
    if series.appointment_type.max_attendees > 1:
        raise refuse("scope", "group_visit", "Visits of a group are moved one by one.")
    targets = list(_to_come(series, scope, appointment).filter(status__in=_TOGETHER, detached=False))
    if not targets:
        raise NothingToChange()
    shift = shift_of(series, targets, _anchor(targets, scope, appointment), move)
    moved = _moved(series, targets, shift, by)
    settle(moved, on_conflict)
    staying = _staying(targets, moved)
    if len(staying) == len(targets):
        raise NothingToChange("None of these visits could be moved.")
    going = [(target, each) for target, each in zip(targets, moved, strict=True) if target not in staying]
    places = claim([each.finding for _, each in going if each.finding])
    renewed = split(series, shift)
    _apply(renewed, going, staying, places, shift, by)
    return renewed


def cancel_series(
    series: AppointmentSeries,
    scope: str,
    *,
    appointment: Appointment | None,
    by: Actor,
    cancellation_reason: CancellationReason | None = None,
    note: str = "",
) -> list[Appointment]:
    """Cancels the visits that are still to come, detached ones too. Raises NothingToChange, or as `cancel` does."""
    if scope == Scope.THIS:
        targets = [_named(series, appointment)]
    else:
        ending = [status for status, actions in TRANSITIONS.items() if Action.CANCEL in actions]
        targets = list(_to_come(series, scope, appointment).filter(status__in=ending))
    if not targets:
        raise NothingToChange()
    return [cancel(target, by=by, cancellation_reason=cancellation_reason, note=note) for target in targets]


def _rows(series: AppointmentSeries) -> Any:
    """Locked, in their order; whoever changes one of them waits."""
    return (
        Appointment.objects.filter(series=series)
        .select_related("patient", "provider__membership", "location", "appointment_type")
        .select_for_update(of=("self",), no_key=True)
        .order_by("series_index")
    )


def _named(series: AppointmentSeries, appointment: Appointment | None) -> Appointment:
    if appointment is None:
        raise refuse("appointment", "required", "Name the visit.")
    found: Appointment | None = _rows(series).filter(pk=appointment.pk).first()
    if found is None:
        raise refuse("appointment", "does_not_exist", "There is no such visit in this series.")
    return found


def _to_come(series: AppointmentSeries, scope: str, appointment: Appointment | None) -> Any:
    rows = _rows(series).filter(start__gt=timezone.now())
    if scope == Scope.FOLLOWING:
        rows = rows.filter(series_index__gte=_named(series, appointment).series_index)
    return rows


def _anchor(targets: Sequence[Appointment], scope: str, appointment: Appointment | None) -> Appointment:
    """The visit that a new start is about."""
    if appointment is None:
        return targets[0]
    found = next((target for target in targets if target.pk == appointment.pk), None)
    if found is None:
        raise refuse("appointment", "invalid", "This visit has passed, has ended or was moved apart from its series.")
    return found


def _move_this(visit: Appointment, move: SeriesMove, by: Actor) -> None:
    if visit.start is None:
        raise NothingToChange()
    move_one(visit, Move(start=move.start or visit.start, provider=move.provider, location=move.location), by=by)


def _moved(series: AppointmentSeries, targets: Sequence[Appointment], shift: Shift, by: Actor) -> list[Occurrence]:
    """Where the visits would be, examined."""
    rules.check_patient(series.patient)
    rules.check_parts(series.appointment_type, shift.provider, shift.location)
    occurrences = lay_out(shift.walls, timedelta(minutes=series.duration), shift.clock)
    examine(
        occurrences,
        series.appointment_type,
        shift.provider,
        shift.location,
        series.patient,
        shift.clock,
        demand_again(targets[0], shift.provider, shift.location),
        by=by,
        but=[target.pk for target in targets],
    )
    return occurrences


def _staying(targets: Sequence[Appointment], moved: Sequence[Occurrence]) -> list[Appointment]:
    """The visits that can't move, and those whose new time one of them still occupies."""
    pairs = list(zip(targets, moved, strict=True))
    staying = [target for target, each in pairs if not each.available]
    changed = bool(staying)
    while changed:
        held = [_occupied(target) for target in staying]
        pushed = [target for target, each in pairs if target not in staying and _meets(each, held)]
        staying, changed = [*staying, *pushed], bool(pushed)
    return staying


def _occupied(visit: Appointment) -> Period:
    if visit.start is None or visit.end is None:
        raise ValueError("A visit that is to come has a time.")
    return occupied_period(visit.appointment_type, visit.start, visit.end)


def _meets(moved: Occurrence, held: Sequence[Period]) -> bool:
    place = moved.finding.place if moved.finding else None
    return place is not None and any(place.start < end and start < place.end for start, end in held)


def _apply(
    renewed: AppointmentSeries,
    going: Sequence[tuple[Appointment, Occurrence]],
    staying: Sequence[Appointment],
    places: Sequence[Place],
    shift: Shift,
    by: Actor,
) -> None:
    """Writes it all in as many statements for one visit as for many."""
    visits = [visit for visit, _ in going]
    freed = [occupied(visit) for visit in visits]
    for visit, each in going:
        visit.start, visit.end, visit.time_zone = each.start, each.end, shift.clock.zone
        visit.provider, visit.location, visit.confirmed_at = shift.provider, shift.location, None
    Appointment.objects.bulk_update(visits, ["start", "end", "time_zone", "provider", "location", "confirmed_at"])
    if staying:
        Appointment.objects.filter(pk__in=[visit.pk for visit in staying]).update(detached=True)
    ResourceAllocation.objects.filter(appointment__in=visits).delete()
    occupy_each(visits, places)
    StatusEvent.objects.bulk_create(
        StatusEvent(
            appointment=visit,
            action="reschedule",
            from_status=visit.status,
            to_status=visit.status,
            from_start=before["start"],
            to_start=visit.start,
            by_id=by.id,
        )
        for visit, before in zip(visits, freed, strict=True)
    )
    for visit, before in zip(visits, freed, strict=True):
        signals.time_freed.send(Appointment, appointment=visit, **before)
        signals.appointment_rescheduled.send(Appointment, appointment=visit, from_start=before["start"])
