"""What decides about one booking, read by three functions of the database, whose plans PostgreSQL keeps.

They give the columns that booking looks at. What else somebody asks one of these objects for is read then.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, models

from accounts.models import Membership, ProviderProfile
from appointments.calendar_rows import LONGEST
from appointments.free_times import DatedHours
from appointments.models import AppointmentType
from appointments.problems import Occupied
from patients.models import Patient
from practices.functions import ask
from practices.models import Location, Practice, PracticePolicy, Resource
from practices.tenancy import Actor

Columns = Sequence[tuple[type[models.Model], tuple[str, ...]]]
"""What of which model stands in a row, in the order of its fields; the first is the id."""

_OF_NAMED: Columns = (
    (
        Patient,
        (
            "id",
            "practice_id",
            "mrn",
            "given_name",
            "family_name",
            "time_zone",
            "deceased_at",
            "status",
            "merged_into_id",
            "restricted",
            "erased_at",
        ),
    ),
    (
        AppointmentType,
        (
            "id",
            "practice_id",
            "duration",
            "buffer_before",
            "buffer_after",
            "alignment",
            "max_attendees",
            "required_resource_kinds",
            "active",
        ),
    ),
    (ProviderProfile, ("id", "practice_id", "membership_id", "display_name", "active")),
    (Membership, ("id", "practice_id", "user_id")),
    (Location, ("id", "practice_id", "time_zone", "active")),
    (Practice, ("id", "time_zone")),
)
_OF_TERMS: Columns = (
    (Resource, ("id", "practice_id", "kind", "name", "location_id", "provider_id", "capacity", "active")),
)
_AROUND = timedelta(days=3)
"""A visit lasts a day at most, its wall clock may show another date, and hours of a night begin a day early."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the practice says of visits, and of a provider and a location around a time."""

    min_notice_minutes: int
    horizon_days: int
    closures: Sequence[DatedHours]
    calendar: Resource | None
    """The provider's own, if it is in use."""


class Taken(NamedTuple):
    """An allocation as far as it matters to others; `lapsed` when only a hold that has run out still has it."""

    resource: UUID
    lane: int
    start: datetime
    end: datetime
    appointment: UUID
    lapsed: bool

    @property
    def occupied(self) -> Occupied:
        return Occupied(self.resource, self.start, self.end)


def read_named(
    *, patient: UUID | None, appointment_type: UUID | None, provider: UUID | None, location: UUID | None, by: Actor
) -> dict[str, Any]:
    """What the ids of a request name, None where that isn't there, or is a patient whom the actor can't see.

    The provider with the member, the location with the practice. One statement; one more for a restricted patient.
    """
    (row,) = ask("appointments_named(%s, %s, %s, %s, %s)", patient, appointment_type, provider, location)
    found_patient, kind, found_provider, member, place, practice = _objects(_OF_NAMED, row)
    if found_provider is not None:
        found_provider.membership = member
    if place is not None:
        place.practice = practice
    if found_patient is not None and (found_patient.erased_at is not None or not found_patient.visible_to(by)):
        found_patient = None
    return {"patient": found_patient, "appointment_type": kind, "provider": found_provider, "location": place}


def read_terms(provider: ProviderProfile, location: Location, start: datetime) -> Terms:
    """For a visit that begins then. One statement."""
    days = ((start - _AROUND).date(), (start + _AROUND).date())
    (row,) = ask("appointments_terms(%s, %s, %s, %s, %s)", provider.pk, location.pk, *days)
    notice, horizon, closures, *columns = row
    if notice is None:
        usual = PracticePolicy()
        notice, horizon = usual.min_notice_minutes, usual.horizon_days
    (calendar,) = _objects(_OF_TERMS, columns)
    return Terms(notice, horizon, [_dated(*closure) for closure in closures or ()], calendar)


def lock_and_read_taken(
    resources: Sequence[Resource], start: datetime, end: datetime, *, but: Collection[UUID], now: datetime
) -> list[Taken]:
    """Waits for others who book these, as `lock` does, and then reads what overlaps the time, by start."""
    ids = [resource.pk for resource in resources]
    values = (lock_keys(ids), ids, start, end, end + LONGEST, list(but), now)
    rows = ask("appointments_taken(%s, %s::bigint[], %s::uuid[], %s, %s, %s, %s::uuid[], %s)", *values)
    return [Taken(*row) for row in rows]


def lock_keys(resources: Collection[UUID]) -> list[int]:
    """Of the advisory locks, in the order in which they have to be taken, so that nobody waits in a circle."""
    return [resource.int & 0x7FFF_FFFF_FFFF_FFFF for resource in sorted(resources)]


def _objects(columns: Columns, row: Sequence[Any]) -> Iterator[Any]:
    """An object of each model, as if the others of its columns were deferred; None where there is no id."""
    for model, names in columns:
        values, row = row[: len(names)], row[len(names) :]
        yield None if values[0] is None else model.from_db(DEFAULT_DB_ALIAS, names, values)


def _dated(first: str, last: str, opens: str | None, closes: str | None) -> DatedHours:
    times = (None if each is None else time.fromisoformat(each) for each in (opens, closes))
    return DatedHours(date.fromisoformat(first), date.fromisoformat(last), *times)
