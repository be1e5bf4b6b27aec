"""Who was erased, kept outside the database: a backup from before an erasure has the chart, and a restored one must
lose it again. An entry is a signed file that names the practice and the patient by their ids, and says no more.
"""

from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

import structlog

from audit import anchoring
from patients.models import Patient
from patients.services.erasure import erase
from practices.models import Practice
from practices.tenancy import Actor, platform_scope, practice_scope

FOLDER = "audit-erasures"
ACTOR = Actor.system("erase_again")
logger = structlog.get_logger(__name__)


def note_all() -> None:
    """In every practice; one that fails doesn't stop the others."""
    with platform_scope(actor=ACTOR):
        practices: list[UUID] = list(Practice.objects.order_by("pk").values_list("pk", flat=True))
    for practice_id in practices:
        try:
            note(practice_id)
        except Exception:
            logger.exception("noting_erasures_failed", practice_id=str(practice_id))


def note(practice_id: UUID) -> int:
    """Adds who is missing, and says how many. Nobody is ever taken out: the database may be a restored one."""
    with practice_scope(practice_id, actor=ACTOR):
        erased = set(Patient.objects.exclude(erased_at=None).values_list("pk", flat=True))
    missing = sorted(erased.difference(_noted(practice_id))) if erased else []
    for patient_id in missing:
        anchoring.save_signed(_name(practice_id, patient_id), _said(practice_id, patient_id))
    return len(missing)


def come_back(practice_id: UUID) -> list[UUID]:
    """Who was erased and has a chart here. Raises ValueError for an entry that we did not write."""
    noted = list(_noted(practice_id))
    with practice_scope(practice_id, actor=ACTOR):
        here = sorted(Patient.objects.filter(pk__in=noted, erased_at=None).values_list("pk", flat=True))
    for patient_id in here:
        name = _name(practice_id, patient_id)
        if anchoring.read_signed(name) != _said(practice_id, patient_id):
            raise ValueError(f"{name} is of somebody else.")
    return here


def erase_again(practice_id: UUID, patients: list[UUID]) -> list[UUID]:
    """Each in a transaction of their own. Returns who stays: under a legal hold, or merged into somebody who does."""
    for patient_id in patients:
        with practice_scope(practice_id, actor=ACTOR):
            erase(patient_id=patient_id, by=ACTOR)
    with practice_scope(practice_id, actor=ACTOR):
        return list(Patient.objects.filter(pk__in=patients, erased_at=None).values_list("pk", flat=True))


def _noted(practice_id: UUID) -> Iterator[UUID]:
    """Files of other names are none of ours."""
    for key in anchoring.store().keys(f"{FOLDER}/{practice_id}"):
        with suppress(ValueError):
            yield UUID(key.rpartition("/")[2].removesuffix(".json"))


def _name(practice_id: UUID, patient_id: UUID) -> str:
    return f"{FOLDER}/{practice_id}/{patient_id}.json"


def _said(practice_id: UUID, patient_id: UUID) -> dict[str, str]:
    return {"practice": str(practice_id), "patient": str(patient_id)}
