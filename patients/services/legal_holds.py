"""What keeps a chart from being erased."""

from django.db import transaction
from django.utils import timezone

from config.api.problem import Conflict, Forbidden
from patients.models import LegalHold, Patient
from patients.services.parts import lock_unmerged
from practices.tenancy import Actor


class AlreadyReleased(Conflict):
    code = "already_released"
    default_detail = "This hold was released already."


@transaction.atomic
def place(*, patient: Patient, reason: str, by: Actor) -> LegalHold:
    """On an archived chart too. Raises PatientMerged, PatientErased; Forbidden when `by` is no user."""
    if by.id is None:
        raise Forbidden()
    hold: LegalHold = LegalHold.objects.create(patient=lock_unmerged(patient), reason=reason, placed_by_id=by.id)
    return hold


@transaction.atomic
def release(*, hold: LegalHold, by: Actor) -> LegalHold:
    """The policy counts again. Raises AlreadyReleased; Forbidden when `by` is no user."""
    if by.id is None:
        raise Forbidden()
    if hold.released_at is not None:
        raise AlreadyReleased
    hold.released_at, hold.released_by_id = timezone.now(), by.id
    hold.save(update_fields=["released_at", "released_by", "updated_at"])
    return hold
