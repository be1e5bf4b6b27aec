"""Opening a practice: the row, its policy and what its calendar refers to from the first day."""

from practices import signals
from practices.models import CancellationReason, Practice, PracticePolicy
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
