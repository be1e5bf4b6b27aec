"""Two charts of one person become one, and two again.

Both patients are locked against new rows first (see `patients/guard.py`), in the order of their ids; then row by row
whatever names the source is made to name the survivor. Nobody's edit is lost: who is editing a row is waited for, and
who saves a copy read before is told so, since the row's version has moved on.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.utils import timezone

from patients.keys import PatientKey, moved_keys
from patients.models import Patient, PatientMerge, PatientMergeItem
from patients.problems import AlreadyReversed, MergeOfOne, MergeOrder, MergeWouldReveal, PatientErased
from patients.services.parts import refuse_merged
from patients.signals import patient_died
from practices.querysets import AnnouncedQuerySet
from practices.tenancy import Actor

MOVED, KEPT = PatientMergeItem.Outcome.MOVED, PatientMergeItem.Outcome.KEPT


@dataclass(frozen=True, slots=True)
class Row:
    entity: str
    id: UUID


@transaction.atomic
def merge(*, survivor: Patient, source: Patient, reason: str, by: Actor) -> PatientMerge:
    """`source` becomes `merged`, and all that is the survivor's now. Names and dates of the survivor stay.

    Raises MergeOfOne, PatientMerged, PatientErased, MergeWouldReveal.
    """
    survivor, source = lock(survivor.pk, source.pk)
    _check(survivor, source)
    made: PatientMerge = PatientMerge.objects.create(
        survivor=survivor,
        source=source,
        reason=reason,
        by_id=by.id,
        source_status=source.status,
        source_version=source.version,
        source_updated_at=source.updated_at,
    )
    for key in moved_keys():
        _move(made, key, survivor, source)
    Patient.objects.filter(pk=source.pk).update(status=Patient.Status.MERGED, merged_into=survivor.pk)
    if survivor.deceased_at is not None and source.deceased_at is None:
        patient_died.send(Patient, patient=survivor)  # what the source had ahead of them is the survivor's now
    return made


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a merge, or undoing one, would do. Of merging: `stay` are the rows that the source would keep; of undoing:
    those made since, which the survivor would keep.
    """

    move: Counter[str]
    stay: Counter[str]


def foresee_merge(*, survivor: Patient, source: Patient, by: Actor) -> Foreseen:
    """Does it and takes it back. Raises what `merge` does."""
    with transaction.atomic():
        made = merge(survivor=survivor, source=source, reason="", by=by)
        rows = list(made.items.values_list("entity", "outcome"))
        transaction.set_rollback(True)
    return Foreseen(*(Counter(entity for entity, outcome in rows if outcome == each) for each in (MOVED, KEPT)))


def foresee_reversal(*, merge: PatientMerge, by: Actor) -> Foreseen:
    """Does it and takes it back. Raises what `reverse` does."""
    with transaction.atomic():
        _, since = reverse(merge=merge, by=by)
        transaction.set_rollback(True)
    moved = merge.items.filter(outcome=MOVED).values_list("entity", flat=True)
    return Foreseen(Counter(moved), Counter(row.entity for row in since))


@transaction.atomic
def reverse(*, merge: PatientMerge, by: Actor) -> tuple[PatientMerge, list[Row]]:
    """Gives the source back what was its own, and says which rows were made since: they stay with the survivor.

    A row that nobody has touched is again, to the byte, what it was, but for its version: that goes on, so that a copy
    read before the merge, or during it, is known to be old. Raises AlreadyReversed, PatientErased, MergeOrder.
    """
    survivor, source = lock(merge.survivor_id, merge.source_id)
    merge = PatientMerge.objects.select_for_update(no_key=True).get(pk=merge.pk)
    if merge.reversed_at is not None:
        raise AlreadyReversed
    if survivor.erased_at is not None:
        raise PatientErased
    _check_order(merge)
    AnnouncedQuerySet.update(
        Patient.objects.filter(pk=source.pk),
        status=merge.source_status,
        merged_into=None,
        updated_at=merge.source_updated_at,
    )
    for key in moved_keys():
        _give_back(merge, key, survivor, source)
    merge.reversed_at, merge.reversed_by_id = timezone.now(), by.id
    merge.save(update_fields=["reversed_at", "reversed_by", "updated_at"])
    return merge, _made_since(merge, survivor)


def lock(survivor: UUID, source: UUID) -> tuple[Patient, Patient]:
    """Both, against edits and new rows, always in the same order. Raises MergeOfOne, Patient.DoesNotExist."""
    if survivor == source:
        raise MergeOfOne
    rows = Patient.objects.filter(pk__in=[survivor, source]).order_by("pk").select_for_update(of=("self",))
    found = {row.pk: row for row in rows}
    if len(found) < 2:
        raise Patient.DoesNotExist
    return found[survivor], found[source]


def _check(survivor: Patient, source: Patient) -> None:
    for each in (survivor, source):
        refuse_merged(each)
    if source.restricted and not survivor.restricted:
        raise MergeWouldReveal


def _check_order(merge: PatientMerge) -> None:
    """Later merges of either chart found it as this one had left it, so they are undone first."""
    pair = [merge.survivor_id, merge.source_id]
    later = PatientMerge.objects.filter(Q(survivor__in=pair) | Q(source__in=pair), reversed_at=None)
    newer = later.filter(created_at__gt=merge.created_at).order_by("-created_at").values_list("pk", flat=True)
    if found := list(newer):
        raise MergeOrder(found)


def _move(merge: PatientMerge, key: PatientKey, survivor: Patient, source: Patient) -> None:
    before = _stamps(key, key.of(source).select_for_update(of=("self",), no_key=True))
    kept: dict[UUID, str] = {}
    for constraint, rows in key.clashing(source, survivor) if before else ():
        kept |= {pk: constraint for pk in rows.values_list("pk", flat=True) if pk not in kept}
    moved = before.keys() - kept.keys()
    if moved:
        _repoint(key, moved, survivor)
    after = _stamps(key, key.rows().filter(pk__in=moved)) if moved else {}
    PatientMergeItem.objects.bulk_create(
        [
            PatientMergeItem(
                merge=merge,
                entity=key.entity,
                field=key.field.name,
                row_id=pk,
                outcome=KEPT if pk in kept else MOVED,
                constraint=kept.get(pk, ""),
                version_before=version,
                updated_before=updated_at,
                moved_at=after[pk][1] if pk in after else None,
            )
            for pk, (version, updated_at) in before.items()
        ]
    )


def _stamps(key: PatientKey, rows: Any) -> dict[UUID, tuple[int | None, datetime]]:
    if key.counts_versions:
        return {pk: (version, at) for pk, version, at in rows.values_list("pk", "version", "updated_at")}
    return {pk: (None, at) for pk, at in rows.values_list("pk", "updated_at")}


def _repoint(key: PatientKey, rows: Collection[UUID], patient: Patient) -> None:
    """Past what a model's own `update` refuses: whose a row is isn't what it says."""
    AnnouncedQuerySet.update(key.rows().filter(pk__in=rows), **{key.field.name: patient.pk}, **_own_version(key))


def _own_version(key: PatientKey) -> dict[str, Any]:
    """A column of this name that doesn't count edits is left as it is."""
    columns = {field.name for field in key.model._meta.concrete_fields}
    return {"version": F("version")} if "version" in columns and not key.counts_versions else {}


def _give_back(merge: PatientMerge, key: PatientKey, survivor: Patient, source: Patient) -> None:
    item = PatientMergeItem.objects.filter(
        merge=merge, entity=key.entity, field=key.field.name, outcome=MOVED, row_id=OuterRef("pk")
    )
    rows = key.of(survivor).select_for_update(of=("self",), no_key=True)
    untouched = set(rows.filter(Exists(item.filter(moved_at=OuterRef("updated_at")))).values_list("pk", flat=True))
    touched = set(rows.filter(Exists(item)).values_list("pk", flat=True)) - untouched
    if untouched:
        stamps: dict[str, Any] = {"updated_at": Subquery(item.values("updated_before")), **_own_version(key)}
        AnnouncedQuerySet.update(key.rows().filter(pk__in=untouched), **{key.field.name: source.pk}, **stamps)
    if touched:
        _repoint(key, touched, source)


def _made_since(merge: PatientMerge, survivor: Patient) -> list[Row]:
    return [
        Row(key.entity, pk)
        for key in moved_keys()
        for pk in key.of(survivor).filter(created_at__gt=merge.created_at).order_by("pk").values_list("pk", flat=True)
    ]
