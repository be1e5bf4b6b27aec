from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from patients.models import AccessGrant
from patients.services import access_grants
from patients.signals import patient_data_read
from practices.admin.badges import badge
from practices.admin.base import ReadOnlyAdmin
from practices.admin.row_actions import RowAction, RowActionForm
from practices.tenancy import current_actor


class ReviewForm(RowActionForm):
    note = forms.CharField(required=False, max_length=500, widget=UnfoldAdminTextInputWidget)


class ReviewedFilter(admin.SimpleListFilter):
    title = "review"
    parameter_name = "reviewed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "To be reviewed"), ("yes", "Reviewed")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset if self.value() is None else queryset.filter(reviewed_at__isnull=self.value() == "no")


@admin.register(AccessGrant)
class AccessGrantAdmin(ReadOnlyAdmin):
    """The review queue of break-glass."""

    list_display = ("created_at", "user", "patient_mrn", "expires_at", "show_review")
    list_filter = (ReviewedFilter,)
    list_select_related = ("user", "patient", "reviewed_by")
    sortable_by = ()
    fields = (
        ("created_at", "expires_at"),
        ("user", "patient_mrn"),
        "reason",
        ("show_review", "review_note"),
        ("reviewed_at", "reviewed_by"),
    )
    readonly_fields = (
        "created_at",
        "expires_at",
        "user",
        "patient_mrn",
        "reason",
        "show_review",
        "reviewed_at",
        "reviewed_by",
        "review_note",
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def record_read(self, request: HttpRequest, rows: Iterable[AccessGrant]) -> None:
        if ids := [row.patient_id for row in rows]:
            patient_data_read.send(AccessGrant, patient_ids=ids)

    @admin.display(description="Chart")
    def patient_mrn(self, row: AccessGrant) -> str:
        """No name: who reviews need not be somebody who sees the chart."""
        return str(row.patient.mrn)

    @admin.display(description="Review")
    def show_review(self, row: AccessGrant) -> str:
        return badge("Reviewed", "success") if row.reviewed_at else badge("To be reviewed", "warning")

    def get_row_links(self, request: HttpRequest, row: AccessGrant) -> Sequence[tuple[str, str, str]]:
        url = f"{reverse('admin:audit_auditevent_changelist')}?actor_id__exact={row.user_id}"
        return (("What was done", "policy", url),)

    def get_row_actions(self, request: HttpRequest, row: AccessGrant) -> Sequence[RowAction]:
        may = request.user.has_perm("patients.change_accessgrant") and row.user_id != request.user.pk
        if not may or row.reviewed_at is not None:
            return ()
        return (RowAction("review", "Mark as reviewed", "task_alt", _review, "Reviewed.", "primary", ReviewForm),)


def _review(row: AccessGrant, note: str) -> None:
    access_grants.review(grant=row, note=note, by=current_actor())
