"""Opening a practice, with its policy and what its calendar refers to from the first day; and closing its doors."""

from django.db import transaction

from practices import signals
from practices.models import CancellationReason, Closure, Practice, PracticePolicy
from practices.problems import AvailabilityConflict, Collision
from practices.tenancy import Actor, platform_scope, practice_scope

DEFAULT_REASONS = (
    ("patient-request", "Patient asked", CancellationReason.By.PATIENT),
    ("patient-unwell", "Patient unwell", CancellationReason.By.PATIENT),
    ("provider-unavailable", "Provider unavailable", CancellationReason.By.PROVIDER),
    ("practice-closed", "Practice closed", CancellationReason.By.PRACTICE),
    ("hold-expired", "Hold ran out", CancellationReason.By.PRACTICE),
)


def create_practice(*, by: Actor, **fields: str) -> Practice:
    """A new tenant. Call it outside any practice's scope; raises ValidationError for what Practice refuses."""
    with platform_scope(actor=by):
        practice = Practice(**fields)
        practice.full_clean()
        practice.save(force_insert=True)
        with practice_scope(practice, actor=by):
            PracticePolicy.objects.create()
            CancellationReason.objects.bulk_create(
                CancellationReason(code=code, name=name, by=side) for code, name, side in DEFAULT_REASONS
            )
            signals.practice_created.send(Practice, practice=practice)
    return practice


@transaction.atomic
def save_closure(closure: Closure) -> Closure:
    """Raises AvailabilityConflict naming the closures of the same place that it overlaps.

    Whoever enters another one waits: the policy's row stands for the practice's calendar.
    """
    PracticePolicy.objects.select_for_update(of=("self",)).first()
    if collisions := [told_of_closure(other) for other in closure.overlapping()]:
        raise AvailabilityConflict(collisions)
    closure.save()
    return closure


def told_of_closure(closure: Closure) -> Collision:
    return Collision("closure", closure.pk, f"{closure} from {closure.start_date} to {closure.end_date}")
