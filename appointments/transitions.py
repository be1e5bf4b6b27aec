"""The status machine of an appointment (FHIR R4 appointmentstatus): what may follow what, and by which action."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from django.db import models

from accounts.roles import Access, Area


class Status(models.TextChoices):
    PROPOSED = "proposed"
    PENDING = "pending"
    BOOKED = "booked"
    ARRIVED = "arrived"
    CHECKED_IN = "checked-in"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    NO_SHOW = "noshow"
    ENTERED_IN_ERROR = "entered-in-error"
    WAITLIST = "waitlist"


class Action(models.TextChoices):
    """What changes a status, named as in the URL."""

    CONFIRM = "confirm"
    ARRIVE = "arrive"
    CHECK_IN = "check-in"
    FULFILL = "fulfill"
    CANCEL = "cancel"
    NO_SHOW = "no-show"
    UNDO = "undo"
    ENTER_IN_ERROR = "enter-in-error"


BLOCKING = frozenset({Status.PENDING, Status.BOOKED, Status.ARRIVED, Status.CHECKED_IN, Status.FULFILLED})
"""Statuses in which the visit occupies its resources."""

NEW = frozenset({Status.PROPOSED, Status.PENDING, Status.BOOKED, Status.WAITLIST})
MOVABLE = frozenset({Status.PROPOSED, Status.PENDING, Status.BOOKED, Status.WAITLIST})
"""Statuses in which a visit may be rescheduled."""

TRANSITIONS: dict[Status, dict[Action, Status]] = {
    Status.PROPOSED: {
        Action.CONFIRM: Status.BOOKED,
        Action.CANCEL: Status.CANCELLED,
        Action.ENTER_IN_ERROR: Status.ENTERED_IN_ERROR,
    },
    Status.WAITLIST: {
        Action.CONFIRM: Status.BOOKED,
        Action.CANCEL: Status.CANCELLED,
        Action.ENTER_IN_ERROR: Status.ENTERED_IN_ERROR,
    },
    Status.PENDING: {
        Action.CONFIRM: Status.BOOKED,
        Action.CANCEL: Status.CANCELLED,
        Action.ENTER_IN_ERROR: Status.ENTERED_IN_ERROR,
    },
    Status.BOOKED: {
        Action.CONFIRM: Status.BOOKED,
        Action.ARRIVE: Status.ARRIVED,
        Action.CHECK_IN: Status.CHECKED_IN,
        Action.NO_SHOW: Status.NO_SHOW,
        Action.CANCEL: Status.CANCELLED,
        Action.ENTER_IN_ERROR: Status.ENTERED_IN_ERROR,
    },
    Status.ARRIVED: {
        Action.CHECK_IN: Status.CHECKED_IN,
        Action.FULFILL: Status.FULFILLED,
        Action.UNDO: Status.BOOKED,
        Action.CANCEL: Status.CANCELLED,
    },
    Status.CHECKED_IN: {
        Action.FULFILL: Status.FULFILLED,
        Action.UNDO: Status.ARRIVED,
        Action.CANCEL: Status.CANCELLED,
    },
    Status.NO_SHOW: {
        Action.ARRIVE: Status.ARRIVED,
        Action.UNDO: Status.BOOKED,
        Action.ENTER_IN_ERROR: Status.ENTERED_IN_ERROR,
    },
    Status.CANCELLED: {Action.UNDO: Status.BOOKED},
    Status.FULFILLED: {Action.UNDO: Status.CHECKED_IN, Action.ENTER_IN_ERROR: Status.ENTERED_IN_ERROR},
    Status.ENTERED_IN_ERROR: {},
}


def hold_expired(status: str, hold_expires_at: datetime | None, now: datetime) -> bool:
    return status == Status.PENDING and hold_expires_at is not None and hold_expires_at <= now


def possible(status: str, start: datetime | None, hold_expires_at: datetime | None, now: datetime) -> list[str]:
    """The actions that a visit's status and the time allow; whether a role may is another question."""
    begun = None if start is None else start <= now
    return list(_possible(status, begun, hold_expired(status, hold_expires_at, now)))


@cache
def _possible(status: str, begun: bool | None, expired: bool) -> tuple[str, ...]:
    """`begun` is None for what has no time yet."""
    found = set(TRANSITIONS[Status(status)])
    if begun is None:
        found -= {Action.UNDO, Action.CONFIRM}
    if not begun:
        found.discard(Action.NO_SHOW)
    if expired:
        found.discard(Action.CONFIRM)
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Need:
    """What a transition asks of the roles."""

    area: Area
    access: Access


def need(status: Status, action: Action) -> Need:
    """Undoing is the overbooking area's; a fulfilled visit is changed only by who has all rights on appointments."""
    if status == Status.FULFILLED:
        return Need(Area.APPOINTMENTS, Access.FULL)
    if action == Action.UNDO:
        return Need(Area.OVERBOOK, Access.WRITE)
    return Need(Area.APPOINTMENTS, Access.WRITE)
