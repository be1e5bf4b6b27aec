"""What a visit occupies: resources that are named, and others of which any free one will do."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from accounts.models import ProviderProfile
from appointments.models import Appointment, AppointmentType
from appointments.problems import refuse
from appointments.services import rules
from practices.models import Location, Resource


@dataclass(frozen=True, slots=True)
class Demand:
    """All of `fixed`, and of each of `choices` the first that is free and not taken for another."""

    fixed: Sequence[Resource]
    choices: Sequence[Sequence[Resource]] = ()

    @property
    def resources(self) -> list[Resource]:
        """Everything that may be occupied, each once."""
        everything = [*self.fixed, *(resource for choice in self.choices for resource in choice)]
        return list({resource.pk: resource for resource in everything}.values())


def demand_of(visit_type: AppointmentType, calendar: Resource, location: Location, named: Sequence[Resource]) -> Demand:
    """The provider's calendar, what is named, and what the type requires beyond it. One statement at most."""
    fixed = [calendar, *named]
    if len({resource.pk for resource in fixed}) != len(fixed):
        raise refuse("resources", "duplicate", "Name each resource once; the provider's own is taken anyway.")
    if not all(resource.active for resource in fixed):
        raise refuse("resources", "inactive", "One of these is no longer in use.")
    covered = {resource.kind for resource in named}
    missing = [kind for kind in visit_type.required_resource_kinds if kind not in covered]
    return Demand(fixed, _choices(missing, location))


def demand_again(appointment: Appointment, provider: ProviderProfile, location: Location) -> Demand:
    """What a visit occupied, elsewhere or once more. What its type requires may be another, if the same isn't free."""
    former = Q(allocations__appointment=appointment)
    if appointment.group_id is not None:
        former |= Q(allocations__appointment__group=appointment.group_id)
    had = list(
        Resource.objects.filter(former)
        .distinct()
        .exclude(provider__in=[appointment.provider_id, provider.pk])
        .order_by("name", "id")
    )
    required = appointment.appointment_type.required_resource_kinds
    fixed = [rules.provider_resource(provider), *(each for each in had if each.kind not in required)]
    choices = _choices(required, location)
    return Demand(fixed, [sorted(choice, key=lambda each: each not in had) for choice in choices])


def _choices(kinds: Sequence[str], location: Location) -> list[list[Resource]]:
    """One statement, or none when nothing is required. What belongs to no location is at all of them."""
    if not kinds:
        return []
    there = Resource.objects.filter(Q(location=location) | Q(location=None), kind__in=kinds, active=True)
    found = list(there.order_by("name", "id"))
    choices = [[resource for resource in found if resource.kind == kind] for kind in kinds]
    for kind, choice in zip(kinds, choices, strict=True):
        if not choice:
            raise refuse("appointment_type", "no_resource", f"This location lacks the {kind} that this visit needs.")
    return choices
