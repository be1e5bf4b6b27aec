"""What a visit occupies beside its provider, as far as free times are concerned; booking has `services.demand`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from appointments.free_times import Lanes, Taken, Visit, lacking_starts
from appointments.intervals import Interval
from appointments.models import AppointmentType
from practices.models import Resource

Choice = Sequence[tuple[UUID, int]]
"""Resources of which one will do, each with its capacity."""


@dataclass(frozen=True, slots=True)
class Needs:
    """By location the choices of which one resource each is taken; None where some of them is not to be had at all."""

    named: frozenset[UUID]
    choices: Mapping[UUID, Sequence[Choice] | None]

    @classmethod
    def of(cls, visit_type: AppointmentType, named: Collection[UUID], locations: Collection[UUID]) -> "Needs":
        """What is named, and what the type requires beyond it. One statement, or none."""
        kinds = visit_type.required_resource_kinds
        if not (named or kinds) or not locations:
            return cls(frozenset(named), dict.fromkeys(locations, ()))
        there = Q(location__in=locations) | Q(location=None)
        rows = Resource.objects.filter(Q(pk__in=named) | Q(there, kind__in=kinds), active=True).order_by("id")
        found = list(rows.values_list("id", "kind", "location_id", "capacity"))
        wanted = [[(pk, capacity)] for pk, _, _, capacity in found if pk in named]
        missing = set(kinds) - {kind for pk, kind, _, _ in found if pk in named}

        def at(location: UUID) -> Sequence[Choice] | None:
            near = [row for row in found if row[2] in (None, location)]
            choices = [*wanted, *([(row[0], row[3]) for row in near if row[1] == kind] for kind in missing)]
            return choices if len(wanted) == len(named) and all(choices) else None

        return cls(frozenset(named), {location: at(location) for location in locations})

    @property
    def resources(self) -> set[UUID]:
        return {pk for choices in self.choices.values() for choice in choices or () for pk, _ in choice}

    def can_be_met(self, location: UUID, calendar: UUID) -> bool:
        """Whether this provider's calendar can be booked there at all, with all that is needed beside it."""
        return calendar not in self.named and self.choices[location] is not None

    def lacking(
        self, taken: Mapping[UUID, Sequence[Taken]], visit: Visit, start: int, end: int
    ) -> dict[UUID, list[Interval]]:
        """By location the starts in `[start, end)` at which something that is needed is taken."""

        def lanes(choice: Choice) -> Iterable[Lanes]:
            return [Lanes(taken.get(pk, ()), capacity) for pk, capacity in choice]

        return {
            location: lacking_starts([lanes(choice) for choice in choices], visit, start, end)
            for location, choices in self.choices.items()
            if choices
        }
