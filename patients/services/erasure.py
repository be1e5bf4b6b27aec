"""Erasing a patient: what names them is gone, what remains says when rooms were busy and who acted, by ids.

Rows go without a copy of their values into the log. Everything of one patient is one transaction.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Now
from django.utils import timezone

from patients.belongings import Belonging, belongings, same_person
from patients.models import LegalHold, Patient
from patients.models.patient import new_mrn
from patients.signals import patient_erased
from practices import signals
from practices.tenancy import Actor

KEPT: dict[str, tuple[str, ...]] = {
    "patients.patient": (
        *("given_name", "family_name", "preferred_name", "sort_name", "gender_identity", "pronouns"),
        *("language", "time_zone", "duplicate_reason"),
    ),
    "patients.accessgrant": ("reason", "review_note"),
    "patients.legalhold": ("reason",),
    "patients.patientmerge": ("reason",),
    "patients.patientmergeitem": (),
    "appointments.appointment": ("notes", "overbook_reason"),
    "appointments.appointmentseries": (),
    "appointments.resourceallocation": (),
    "appointments.statusevent": ("reason",),
    "integrations.patientexport": (),
}
"""Models whose rows stay, and their columns that are emptied. Rows of whatever isn't named here are deleted."""
_CLOSED = Case(When(status=Patient.Status.ACTIVE, then=Value(Patient.Status.ARCHIVED)), default=F("status"))


@transaction.atomic
def erase(*, patient_id: UUID, by: Actor) -> bool:
    """The patient, with whoever was merged into them, for good. False under a legal hold, or if it was done before."""
    people = _locked(patient_id)
    if not people or LegalHold.objects.filter(patient__in=people, released_at=None).exists():
        return False
    patient_erased.send(Patient, patient_ids=people)
    for belonging in reversed(belongings()):
        if belonging.entity in KEPT:
            _empty(belonging, people)
        else:
            _delete(belonging, people)
    return True


def _locked(patient_id: UUID) -> list[UUID]:
    """Whom it is about, held against new rows and holds; nobody when they are erased already."""
    patient = Patient.objects.filter(pk=patient_id, erased_at=None, merged_into=None).first()
    people = same_person(patient) if patient else []
    rows = Patient.objects.filter(pk__in=people).order_by("pk").select_for_update(of=("self",))
    found = {row.pk: row for row in rows}
    return list(found) if all(row.erased_at is None for row in found.values()) else []


def _delete(belonging: Belonging, people: Collection[UUID]) -> None:
    ids = list(belonging.of(people).values_list("pk", flat=True))
    if ids:
        rows = _plain(belonging, ids)
        rows._raw_delete(rows.db)  # Django's own, which sends no signals with values
        _tell(belonging, ids, people, emptied=None)


def _empty(belonging: Belonging, people: Collection[UUID]) -> None:
    columns = KEPT[belonging.entity]
    ids = list(belonging.of(people).values_list("pk", flat=True)) if columns else []
    if not ids:
        return
    values: dict[str, Any] = {**dict.fromkeys(columns, ""), **_bookkeeping(belonging.model)}
    if belonging.model is Patient:
        _empty_patients(belonging, ids, values)
    else:
        _plain(belonging, ids).update(**values)
    _tell(belonging, ids, people, emptied=columns)


def _empty_patients(belonging: Belonging, ids: list[UUID], values: dict[str, Any]) -> None:
    unknown = {"birth_date": None, "deceased_at": None, "sex": Patient.Sex.UNKNOWN, "restricted": False}
    for pk in ids:
        _plain(belonging, [pk]).update(**values, **unknown, mrn=new_mrn(), status=_CLOSED, erased_at=timezone.now())


def _plain(belonging: Belonging, ids: list[UUID]) -> "models.QuerySet[Any]":
    """Without announcing what the rows held: the row policies alone keep it inside the practice."""
    return models.QuerySet(belonging.model).filter(pk__in=ids)


def _bookkeeping(model: type[models.Model]) -> dict[str, Any]:
    names = {field.name for field in model._meta.concrete_fields}
    stamps: dict[str, Any] = {"updated_at": Now(), "version": F("version") + 1}
    return {name: value for name, value in stamps.items() if name in names}


def _tell(belonging: Belonging, ids: list[UUID], people: Collection[UUID], *, emptied: Collection[str] | None) -> None:
    signals.rows_erased.send(belonging.model, ids=ids, patient_ids=list(people), emptied=emptied)
