"""Merging and taking apart on a chart's page: what would happen is told first."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.apps import apps
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from patients.lookup import of_mrn
from patients.models import Patient, PatientMerge
from patients.services import merging
from patients.signals import patient_data_read
from practices.admin.row_actions import ForeseenForm, RowAction
from practices.tenancy import current_actor


class MergeForm(ForeseenForm):
    row: Patient
    source = forms.CharField(
        label="MRN of the other chart",
        max_length=32,
        help_text="It goes into this one, whose name and dates stay.",
        widget=UnfoldAdminTextInputWidget,
    )
    reason = forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget)

    @classmethod
    def initial_of(cls, request: HttpRequest) -> dict[str, Any]:
        """`?source=` is the other chart's id: numbers of people don't belong into addresses."""
        try:
            wanted = UUID(request.GET.get("source", ""))
        except ValueError:
            return {}
        other = Patient.objects.visible_to(current_actor()).filter(pk=wanted).first()
        return {"source": other.mrn} if other else {}

    def clean_source(self) -> Patient:
        other = of_mrn(Patient.objects.visible_to(current_actor()), self.cleaned_data["source"])
        if other is None:
            raise ValidationError("No chart has this number.", code="not_found")
        return other

    def foresee(self) -> Sequence[str]:
        survivor, source = self.row, self.cleaned_data["source"]
        patient_data_read.send(Patient, patient_ids=[source.pk])
        seen = merging.foresee_merge(survivor=survivor, source=source, by=current_actor())
        return (
            f"{_named(source)} goes into {_named(survivor)}. Nothing was done yet: read on, then merge.",
            *_counted(seen.move, "will be this chart's"),
            *_counted(seen.stay, "will stay with the other chart, since this one has the same"),
        )


class UndoForm(ForeseenForm):
    """Of the chart that went into another."""

    row: Patient

    def foresee(self) -> Sequence[str]:
        merge = merge_of(self.row)
        seen = merging.foresee_reversal(merge=merge, by=current_actor())
        return (
            f"{_named(self.row)} will be a chart of its own again. Nothing was done yet: read on, then undo.",
            *_counted(seen.move, "will be this chart's again"),
            *_counted(seen.stay, "came later and will stay with the other chart"),
        )


def actions(row: Patient) -> Iterator[RowAction]:
    """For who may merge."""
    if row.status == Patient.Status.MERGED:
        yield RowAction("unmerge", "Undo the merge", "call_split", _undo, "These are two charts again.", form=UndoForm)
    else:
        yield RowAction("merge", "Merge another chart", "join", _merge, "The charts are one.", form=MergeForm)


def merge_of(source: Patient) -> PatientMerge:
    """The one that made it a merged chart."""
    merge: PatientMerge = PatientMerge.objects.get(source=source, reversed_at=None)
    return merge


def _merge(row: Patient, source: Patient, reason: str) -> None:
    merging.merge(survivor=row, source=source, reason=reason, by=current_actor())


def _undo(row: Patient) -> None:
    merging.reverse(merge=merge_of(row), by=current_actor())


def _named(patient: Any) -> str:
    born = f", born {patient.birth_date}" if patient.birth_date else ""
    return f"{patient} (MRN {patient.mrn}{born})"


def _counted(entities: Counter[str], what: str) -> list[str]:
    rows = [(apps.get_model(entity)._meta, count) for entity, count in sorted(entities.items())]
    return [f"{n} {meta.verbose_name if n == 1 else meta.verbose_name_plural} {what}." for meta, n in rows]
