from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.permissions import sees_only_own
from accounts.roles import Access, Area, allowed
from patients.models import DuplicateCandidate, Patient
from patients.services import duplicates
from patients.signals import patient_data_read
from practices.admin.badges import badge
from practices.admin.base import ReadOnlyAdmin
from practices.admin.row_actions import RowAction, RowActionForm
from practices.tenancy import current_actor, current_scope

STATUS_COLOURS = {"open": "warning", "confirmed": "danger", "dismissed": "success"}


class DecisionForm(RowActionForm):
    note = forms.CharField(required=False, max_length=500, widget=UnfoldAdminTextInputWidget)


@admin.register(DuplicateCandidate)
class DuplicateCandidateAdmin(ReadOnlyAdmin):
    """Charts that may be one person's, likeliest first."""

    list_display = ("pair", "show_matched", "score", "show_status")
    list_filter = ("status",)
    list_select_related = ("first", "second", "proposed_by", "decided_by")
    ordering = ("-score", "-id")
    sortable_by = ()
    fields = (
        ("show_first", "show_second"),
        ("score", "show_matched"),
        ("proposed_by", "reason"),
        ("show_status", "note"),
        ("decided_at", "decided_by"),
    )
    readonly_fields = (
        *("show_first", "show_second", "score", "show_matched", "proposed_by", "reason"),
        *("show_status", "decided_at", "decided_by", "note"),
    )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        scope = current_scope()
        own = scope is not None and (obj is None or obj.proposed_by_id == scope.actor.id)
        return scope is not None and allowed(scope.actor.roles, Area.MERGE, Access.READ, own=own)

    def get_queryset(self, request: HttpRequest) -> Any:
        pairs = DuplicateCandidate.objects.standing().visible_to(current_actor())
        if sees_only_own(Area.MERGE):
            pairs = pairs.filter(proposed_by=current_actor().id)
        return pairs.select_related(*self.list_select_related).order_by(*self.ordering)

    def record_read(self, request: HttpRequest, rows: Iterable[DuplicateCandidate]) -> None:
        if ids := [pk for row in rows for pk in (row.first_id, row.second_id)]:
            patient_data_read.send(DuplicateCandidate, patient_ids=ids)

    @admin.display(description="Charts")
    def pair(self, row: DuplicateCandidate) -> str:
        return f"{_described(row.first)} / {_described(row.second)}"

    @admin.display(description="One chart")
    def show_first(self, row: DuplicateCandidate) -> SafeString:
        return _link(row.first)

    @admin.display(description="The other")
    def show_second(self, row: DuplicateCandidate) -> SafeString:
        return _link(row.second)

    @admin.display(description="In common")
    def show_matched(self, row: DuplicateCandidate) -> str:
        labels = dict(DuplicateCandidate.Match.choices)
        return ", ".join(str(labels[each]).lower() for each in row.matched)

    @admin.display(description="Status")
    def show_status(self, row: DuplicateCandidate) -> str:
        return badge(row.get_status_display(), STATUS_COLOURS[row.status])

    def get_row_links(self, request: HttpRequest, row: DuplicateCandidate) -> Sequence[tuple[str, str, str]]:
        if not _may_decide():
            return ()
        both = ((row.first, row.second), (row.second, row.first))
        return [(f"Merge into {kept.mrn}", "join", _merge_url(kept, other)) for kept, other in both]

    def get_row_actions(self, request: HttpRequest, row: DuplicateCandidate) -> Sequence[RowAction]:
        if not _may_decide():
            return ()
        every = {
            "confirmed": RowAction(
                "confirm", "Same person", "join", _confirm, "Now merge the two charts.", "primary", DecisionForm
            ),
            "dismissed": RowAction(
                "dismiss", "Two people", "call_split", _dismiss, "They won't be found again.", "default", DecisionForm
            ),
        }
        return [action for status, action in every.items() if status != row.status]


def _described(patient: Patient) -> str:
    born = f", born {patient.birth_date}" if patient.birth_date else ""
    return f"{patient} ({patient.mrn}{born})"


def _link(patient: Patient) -> SafeString:
    url = reverse("admin:patients_patient_change", args=[patient.pk])
    return format_html('<a href="{}" class="underline">{}</a>', url, _described(patient))


def _may_decide() -> bool:
    return allowed(current_actor().roles, Area.MERGE, Access.FULL)


def _merge_url(kept: Patient, other: Patient) -> str:
    return f"{reverse('admin:patients_patient_do', args=[kept.pk, 'merge'])}?source={other.pk}"


def _confirm(row: DuplicateCandidate, note: str) -> None:
    duplicates.confirm(candidate=row, note=note, by=current_actor())


def _dismiss(row: DuplicateCandidate, note: str) -> None:
    duplicates.dismiss(candidate=row, note=note, by=current_actor())
