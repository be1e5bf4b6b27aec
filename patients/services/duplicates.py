"""Pairs of charts that may be one person's: found at night or proposed by somebody, then decided by people."""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from patients.duplicate_search import Pair, likely_pairs
from patients.models import DuplicateCandidate, Patient
from patients.problems import AlreadyDecided, MergeOfOne, PairKnown
from patients.services.parts import refuse_merged
from practices.tenancy import Actor

MOST_OPEN = 1000
"""Nobody reviews more. What is found beyond them is found again when some were decided."""

Status = DuplicateCandidate.Status


@transaction.atomic
def find_duplicates() -> int:
    """Adds the likeliest pairs of the active practice to those that wait for a decision; returns how many."""
    waiting = DuplicateCandidate.objects.standing().filter(status=Status.OPEN, proposed_by=None).count()
    room = MOST_OPEN - waiting
    return _keep(likely_pairs(room)) if room > 0 else 0


@transaction.atomic
def propose(*, first: Patient, second: Patient, reason: str, by: Actor) -> DuplicateCandidate:
    """Raises MergeOfOne, PatientMerged, PatientErased, PairKnown."""
    if first.pk == second.pk:
        raise MergeOfOne
    for each in (first, second):
        refuse_merged(each)
    if DuplicateCandidate.objects.of_pair(first, second).exists():
        raise PairKnown
    first, second = sorted((first, second), key=lambda each: each.pk)
    made: DuplicateCandidate = DuplicateCandidate.objects.create(
        first=first, second=second, reason=reason, proposed_by_id=by.id
    )
    return made


def confirm(*, candidate: DuplicateCandidate, note: str = "", by: Actor) -> DuplicateCandidate:
    """That they are one person; merging their charts is the next step. Raises AlreadyDecided."""
    return _decide(candidate, Status.CONFIRMED, note, by)


def dismiss(*, candidate: DuplicateCandidate, note: str = "", by: Actor) -> DuplicateCandidate:
    """That they are two people: the pair isn't found again. Raises AlreadyDecided."""
    return _decide(candidate, Status.DISMISSED, note, by)


def _decide(candidate: DuplicateCandidate, status: str, note: str, by: Actor) -> DuplicateCandidate:
    """A decision may be changed into the other one."""
    if candidate.status == status:
        raise AlreadyDecided
    candidate.status, candidate.note = status, note
    candidate.decided_at, candidate.decided_by_id = timezone.now(), by.id
    candidate.save(update_fields=["status", "note", "decided_at", "decided_by", "updated_at"])
    return candidate


def _keep(pairs: Iterable[Pair]) -> int:
    kept: list[DuplicateCandidate] = DuplicateCandidate.objects.bulk_create(
        [
            DuplicateCandidate(
                first_id=pair.first,
                second_id=pair.second,
                score=pair.likeness.score,
                matched=list(pair.likeness.matched),
            )
            for pair in pairs
        ]
    )
    return len(kept)
