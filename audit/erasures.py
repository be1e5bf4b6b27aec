"""Who was erased, kept outside the database: a backup from before an erasure has the chart, and a restored one must
lose it again. An entry is a signed file that names the practice, the patient and the time, and says no more.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from audit import anchoring
from patients.belongings import same_person
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
        erased = dict(Patient.objects.exclude(erased_at=None).values_list("pk", "erased_at"))
    missing = sorted(erased.keys() - set(_noted(practice_id))) if erased else []
    for patient_id in missing:
        said = {"practice": str(practice_id), "patient": str(patient_id), "erased_at": erased[patient_id].isoformat()}
        anchoring.save_signed(_name(practice_id, patient_id), said)
    return len(missing)


@dataclass(slots=True)
class Returned:
    """Who was erased and has a chart here, and when they were erased. `refused` names entries that we did not write."""

    patients: dict[UUID, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def come_back(practice_id: UUID) -> Returned:
    noted = list(_noted(practice_id))
    with practice_scope(practice_id, actor=ACTOR):
        here = sorted(Patient.objects.filter(pk__in=noted, erased_at=None).values_list("pk", flat=True))
    found = Returned()
    for patient_id in here:
        if erased_at := _erased_at(practice_id, patient_id):
            found.patients[patient_id] = erased_at
        else:
            found.refused.append(_name(practice_id, patient_id))
    return found


def erase_again(practice_id: UUID, patients: Collection[UUID]) -> list[UUID]:
    """Each in a transaction of their own. Returns who stays: under a legal hold, or one chart with somebody who isn't
    among them, since in the backup two may be merged who weren't when one of them was erased.
    """
    noted = set(patients)
    for patient_id in patients:
        with practice_scope(practice_id, actor=ACTOR):
            locked = Patient.objects.select_for_update(of=("self",))  # nobody is merged with them from here on
            if noted.issuperset(same_person(locked.get(pk=patient_id))):
                erase(patient_id=patient_id, by=ACTOR)
    with practice_scope(practice_id, actor=ACTOR):
        return list(Patient.objects.filter(pk__in=list(patients), erased_at=None).values_list("pk", flat=True))


def _erased_at(practice_id: UUID, patient_id: UUID) -> str | None:
    """As the entry says; None for one that is not ours, or about somebody else."""
    try:
        said = anchoring.read_signed(_name(practice_id, patient_id)) or {}
        if (said["practice"], said["patient"]) == (str(practice_id), str(patient_id)):
            return str(said["erased_at"])
    except (ValueError, KeyError, TypeError, AttributeError):  # also of what isn't JSON, or JSON of another form
        pass
    return None


def _noted(practice_id: UUID) -> Iterator[UUID]:
    """Files of other names are none of ours."""
    for key in anchoring.store().keys(f"{FOLDER}/{practice_id}"):
        with suppress(ValueError):
            patient_id = UUID(key.rpartition("/")[2].removesuffix(".json"))
            if key == _name(practice_id, patient_id):
                yield patient_id


def _name(practice_id: UUID, patient_id: UUID) -> str:
    return f"{FOLDER}/{practice_id}/{patient_id}.json"
