"""Break-glass: into one restricted chart for an hour, with a reason, and under the eyes of those who review it."""

from django.db import transaction
from django.utils import timezone

from config.api.problem import Conflict, Forbidden
from patients.access import may_be_let_in, sees_restricted
from patients.models import AccessGrant, Patient
from patients.signals import access_granted
from practices.tenancy import Actor


class AccessNotNeeded(Conflict):
    code = "access_not_needed"
    default_detail = "This chart is open to you without it."


class AlreadyReviewed(Conflict):
    code = "already_reviewed"
    default_detail = "Somebody has reviewed this already."


@transaction.atomic
def break_glass(*, patient: Patient, reason: str, by: Actor) -> AccessGrant:
    """The caller has asked `by` for their password again. Raises AccessNotNeeded, Forbidden.

    One that is open already is no obstacle: the hour begins anew, with a reason of its own.
    """
    if not patient.restricted or sees_restricted(by):
        raise AccessNotNeeded
    if not may_be_let_in(by):
        raise Forbidden
    grant: AccessGrant = AccessGrant.objects.create(patient=patient, user_id=by.id, reason=reason)
    access_granted.send(AccessGrant, grant=grant)
    return grant


@transaction.atomic
def review(*, grant: AccessGrant, note: str = "", by: Actor) -> AccessGrant:
    """Raises AlreadyReviewed, Forbidden for who took it."""
    if grant.user_id == by.id:
        raise Forbidden("Somebody else has to review what you did.")
    grant = AccessGrant.objects.select_for_update(of=("self",), no_key=True).get(pk=grant.pk)
    if grant.reviewed_at is not None:
        raise AlreadyReviewed
    grant.reviewed_at, grant.reviewed_by_id, grant.review_note = timezone.now(), by.id, note
    grant.save(update_fields=["reviewed_at", "reviewed_by", "review_note", "updated_at"])
    return grant
