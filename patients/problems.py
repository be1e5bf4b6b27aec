"""Refusals about charts, as problems with codes that a client can act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from config.api.problem import Conflict
from patients.models import Patient


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patient who may be the one about to be created, and what they have in common."""

    patient: Patient
    matched: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        shown = ("id", "mrn", "given_name", "family_name", "birth_date", "status")
        return {**{name: getattr(self.patient, name) for name in shown}, "matched": list(self.matched)}


class PossibleDuplicate(Conflict):
    code = "possible_duplicate"
    default_detail = "This may be a patient you have already. If not, send force and force_reason."

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        super().__init__(candidates=[each.as_json() for each in candidates])


class PatientMerged(Conflict):
    code = "patient_merged"
    default_detail = "This chart was merged into another; change that one."

    def __init__(self, merged_into: UUID | str | None) -> None:
        super().__init__(merged_into=merged_into)


class PatientErased(Conflict):
    code = "patient_erased"
    default_detail = "This chart was erased."


class MergeOfOne(Conflict):
    code = "merge_of_one"
    default_detail = "A chart can't be merged into itself."


class MergeWouldReveal(Conflict):
    code = "merge_would_reveal"
    default_detail = "Restrict the chart that stays first: what is merged into it is restricted."


class AlreadyReversed(Conflict):
    code = "already_reversed"
    default_detail = "This merge was undone already."


class MergeOrder(Conflict):
    code = "merge_order"
    default_detail = "Later merges of these charts come first."

    def __init__(self, merges: Sequence[UUID]) -> None:
        super().__init__(merges=list(merges))


class PairKnown(Conflict):
    code = "pair_known"
    default_detail = "These two were found or proposed already."


class AlreadyDecided(Conflict):
    code = "already_decided"
    default_detail = "This was decided so already."


class PatientArchived(Conflict):
    code = "patient_archived"
    default_detail = "This chart is archived; bring it back first."


class NoteSigned(Conflict):
    code = "note_signed"
    default_detail = "This note is signed; write an amendment instead."


class InvalidPatientTransition(Conflict):
    code = "invalid_transition"

    def __init__(self, status: str, allowed: Sequence[str]) -> None:
        super().__init__(f"This can't be done to a chart that is {status}.", allowed_transitions=list(allowed))
