"""Which events somebody may hear of."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q

from accounts.roles import Access, Area, allowed
from patients.access import SEES_RESTRICTED
from patients.models import Patient
from practices.querysets import TenantManager, TenantQuerySet
from practices.tenancy import Actor

if TYPE_CHECKING:
    from integrations.models import EventLog  # noqa: F401  # named in a quoted base class

AREA_OF_SUBJECT = {"patient": Area.PATIENTS, "appointment": Area.APPOINTMENTS}
"""What an event's type begins with -> the row of the role table that says who may hear of it."""


def _about_restricted() -> Exists:
    return Exists(Patient.objects.filter(pk=OuterRef("entity_id"), restricted=True))


def subjects_heard_by(roles: Collection[str]) -> set[str]:
    return {subject for subject, area in AREA_OF_SUBJECT.items() if allowed(roles, area, Access.READ)}


def hears_of_restricted(roles: Collection[str]) -> bool:
    return not SEES_RESTRICTED.isdisjoint(roles)


class EventLogQuerySet(TenantQuerySet["EventLog"]):
    def with_restricted(self) -> "EventLogQuerySet":
        """Adds `restricted`: whether the event is about a patient whose chart is hidden from most."""
        annotated: EventLogQuerySet = self.annotate(restricted=_about_restricted())
        return annotated

    def heard_by(self, actor: Actor) -> "EventLogQuerySet":
        """Without what the actor may not read, or know of."""
        subjects = Q(pk__in=[])
        for subject in sorted(subjects_heard_by(actor.roles)):
            subjects |= Q(type__gte=f"{subject}.", type__lt=f"{subject}/")  # a prefix, in leakproof comparisons
        heard = self.filter(subjects)
        if hears_of_restricted(actor.roles):
            return heard
        hidden = Patient.objects.filter(pk=OuterRef("entity_id"), restricted=True)
        return heard.exclude(Exists(hidden.exclude(pk__in=Patient.objects.visible_to(actor))))


class EventLogManager(TenantManager.from_queryset(EventLogQuerySet)):  # type: ignore[misc]  # a base made at run time
    """Events of the active practice."""
