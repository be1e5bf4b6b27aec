"""Who may see a restricted chart: owners and admins each one, a provider those that a way in leads to, nobody else.

Ways in are a grant that is open now (break-glass), and whatever an app above adds: `appointments` adds the patients
whom the provider has visits with.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Exists, Q, QuerySet

from config.api.conditions import where
from practices.tenancy import Actor, current_scope

Patients = TypeVar("Patients", bound="QuerySet[Any, Any]")

SEES_RESTRICTED = frozenset({"owner", "admin"})
MAY_BE_LET_IN = frozenset({"provider"})

ways_in: list[Callable[[Actor], Exists]] = []
"""Each says of a patient (`OuterRef("pk")`) whether it lets the actor in."""


def sees_restricted(actor: Actor) -> bool:
    """Whether every chart is open; the system does whatever its code does."""
    return actor.kind == "system" or not SEES_RESTRICTED.isdisjoint(actor.roles)


def may_be_let_in(actor: Actor) -> bool:
    return actor.id is not None and not MAY_BE_LET_IN.isdisjoint(actor.roles)


def narrow(patients: Patients, actor: Actor) -> Patients:
    """The one rule: those that the actor may see."""
    if sees_restricted(actor):
        return patients
    if not may_be_let_in(actor):
        return where(patients, ("restricted", "exact", False))
    seen = Q(restricted=False)
    for way in ways_in:
        seen |= Q(way(actor))
    return patients.filter(seen)


def hides(patient_id: UUID | str, actor: Actor) -> bool:
    """The same rule for one restricted patient; all that the actor was let into are asked for once a scope."""
    if sees_restricted(actor):
        return False
    return not may_be_let_in(actor) or UUID(str(patient_id)) not in _let_into(actor)


def _let_into(actor: Actor) -> frozenset[UUID]:
    from patients.models import Patient

    scope = current_scope()
    known: dict[object, frozenset[UUID]] = scope.remembered if scope is not None else {}
    key = ("restricted patients", actor)
    if key not in known:
        found = Patient.objects.visible_to(actor).filter(restricted=True).values_list("pk", flat=True)
        known[key] = frozenset(found)
    return known[key]
