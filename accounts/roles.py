"""Who may do what: one table of role x area, obeyed by every endpoint and admin page; the rest is denied."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum

from django.db import models

from practices.roles import Role as Role


class Area(models.TextChoices):
    """A row of the table. A model names its own in `Model.area`; a view may name another for one action."""

    PRACTICE_SETTINGS = "practice_settings"
    MEMBERS = "members"
    PATIENTS = "patients"
    COVERAGE = "coverage"
    CLINICAL = "clinical"
    ALERTS = "alerts"
    NOTES = "notes"
    APPOINTMENTS = "appointments"
    BOOKING_NOTES = "booking_notes"
    OVERBOOK = "overbook"
    AVAILABILITY = "availability"
    MONEY = "money"
    MONEY_VOID = "money_void"
    MESSAGES = "messages"
    MERGE = "merge"
    BREAK_GLASS = "break_glass"
    AUDIT = "audit"
    EXPORT = "export"
    KEYS = "keys"
    API_KEYS = "api_keys"
    PLATFORM = "platform"


class Access(IntEnum):
    """Each level includes those below it."""

    NONE = 0
    READ = 1
    WRITE = 2
    FULL = 3


@dataclass(frozen=True, slots=True)
class Grant:
    """`others` holds for every row, `own` (never less) for the rows that are the member's own."""

    others: Access = Access.NONE
    own: Access = Access.NONE


NOTHING = Grant()
READ = Grant(Access.READ, Access.READ)
WRITE = Grant(Access.WRITE, Access.WRITE)
FULL = Grant(Access.FULL, Access.FULL)
OWN = Grant(Access.NONE, Access.FULL)
OWN_WRITE = Grant(Access.NONE, Access.WRITE)
OWN_WRITE_READ_OTHERS = Grant(Access.READ, Access.WRITE)

_COLUMNS = (Role.OWNER, Role.ADMIN, Role.PROVIDER, Role.ASSISTANT, Role.FRONT_DESK, Role.BILLER, Role.AUDITOR)
_ROWS: dict[Area, tuple[Grant, Grant, Grant, Grant, Grant, Grant, Grant]] = {
    Area.PRACTICE_SETTINGS: (FULL, FULL, READ, READ, READ, READ, READ),
    Area.MEMBERS: (FULL, WRITE, READ, READ, READ, READ, READ),
    Area.PATIENTS: (FULL, FULL, WRITE, WRITE, WRITE, READ, READ),
    Area.COVERAGE: (FULL, FULL, READ, READ, WRITE, WRITE, READ),
    Area.CLINICAL: (FULL, READ, WRITE, WRITE, NOTHING, NOTHING, READ),
    Area.ALERTS: (FULL, READ, WRITE, WRITE, READ, NOTHING, READ),
    Area.NOTES: (NOTHING, NOTHING, OWN_WRITE_READ_OTHERS, READ, NOTHING, NOTHING, NOTHING),
    Area.APPOINTMENTS: (FULL, FULL, WRITE, WRITE, WRITE, READ, READ),
    Area.BOOKING_NOTES: (FULL, FULL, WRITE, WRITE, WRITE, NOTHING, NOTHING),
    Area.OVERBOOK: (FULL, FULL, OWN_WRITE, NOTHING, NOTHING, NOTHING, NOTHING),
    Area.AVAILABILITY: (FULL, FULL, OWN, READ, READ, NOTHING, READ),
    Area.MONEY: (FULL, FULL, READ, NOTHING, WRITE, FULL, READ),
    Area.MONEY_VOID: (FULL, FULL, NOTHING, NOTHING, NOTHING, FULL, NOTHING),
    Area.MESSAGES: (FULL, FULL, WRITE, WRITE, WRITE, READ, READ),
    Area.MERGE: (FULL, FULL, NOTHING, NOTHING, OWN_WRITE, NOTHING, NOTHING),
    Area.BREAK_GLASS: (NOTHING, NOTHING, WRITE, NOTHING, NOTHING, NOTHING, NOTHING),
    Area.AUDIT: (FULL, READ, NOTHING, NOTHING, NOTHING, NOTHING, FULL),
    Area.EXPORT: (FULL, FULL, NOTHING, NOTHING, NOTHING, OWN_WRITE, NOTHING),
    Area.KEYS: (FULL, FULL, OWN_WRITE, NOTHING, NOTHING, NOTHING, READ),
    Area.API_KEYS: (FULL, FULL, NOTHING, NOTHING, NOTHING, NOTHING, READ),
}
ROLE_ACCESS: dict[Area, dict[Role, Grant]] = {
    area: dict(zip(_COLUMNS, row, strict=True)) for area, row in _ROWS.items()
}


class ScopedRole(str):
    """Stands among an actor's roles for what an API key may do, in place of a column of the table.

    Equal to nothing but one of the same name that allows the same: answers are remembered by role.
    """

    grants: Mapping[Area, Grant]

    def __new__(cls, name: str, grants: Mapping[Area, Grant]) -> "ScopedRole":
        role = super().__new__(cls, name)
        role.grants = dict(grants)
        return role

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScopedRole) and str(self) == str(other) and self.grants == other.grants

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((str(self), frozenset(self.grants.items())))


def grant(roles: Collection[str], area: str) -> Grant:
    """What these roles together allow in an area; an unknown role or area allows nothing."""
    row: Mapping[str, Grant] = ROLE_ACCESS.get(area, {})  # type: ignore[call-overload]  # an Area is its text
    grants = [row[role] for role in roles if role in row]
    grants += [role.grants[Area(area)] for role in roles if isinstance(role, ScopedRole) and area in role.grants]
    return Grant(
        max((each.others for each in grants), default=Access.NONE),
        max((each.own for each in grants), default=Access.NONE),
    )


def allowed(roles: Collection[str], area: str, access: Access, *, own: bool = False) -> bool:
    """Whether these roles may, for somebody else's row or (`own`) their own."""
    granted = grant(roles, area)
    return (granted.own if own else granted.others) >= access


def raises(roles: Collection[str], *, above: Collection[str]) -> bool:
    """Whether these roles allow anything that those don't."""
    pairs = [(grant(roles, area), grant(above, area)) for area in Area]
    return any(new.others > old.others or new.own > old.own for new, old in pairs)
