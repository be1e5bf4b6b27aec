from typing import Any

from django.db import transaction
from django.utils import timezone

from config.api.problem import Forbidden
from patients.models import Patient, PatientNote
from patients.problems import NoteSigned
from patients.services.parts import add, change, remove
from practices.tenancy import Actor


@transaction.atomic
def write_note(*, patient: Patient, by: Actor, **fields: Any) -> PatientNote:
    """A draft of `by`'s. Raises PatientMerged, PatientArchived, ValidationError; Forbidden when `by` is no user."""
    if by.id is None:
        raise Forbidden()
    return add(row=PatientNote(patient=patient, author_id=by.id, **fields), by=by)


@transaction.atomic
def change_note(*, note: PatientNote, by: Actor, **changes: Any) -> PatientNote:
    """Raises NoteSigned; Forbidden for somebody else's; what `write_note` raises."""
    _check_draft_of(note, by)
    return change(row=note, by=by, **changes)


@transaction.atomic
def sign_note(*, note: PatientNote, by: Actor) -> PatientNote:
    """From now on it can't be changed. Raises what `change_note` raises."""
    _check_draft_of(note, by)
    return change(row=note, by=by, signed_at=timezone.now())


@transaction.atomic
def discard_note(*, note: PatientNote, by: Actor) -> None:
    """Raises NoteSigned, Forbidden, PatientMerged."""
    _check_draft_of(note, by)
    remove(row=note, by=by)


def _check_draft_of(note: PatientNote, by: Actor) -> None:
    if not note.is_of(by):
        raise Forbidden()
    if note.was_signed:
        raise NoteSigned
