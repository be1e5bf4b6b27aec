from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget

from patients.admin.rows import PatientRowMixin, WholeChartsMixin
from patients.models import LegalHold, Patient
from patients.services import legal_holds
from patients.signals import patient_data_read
from practices.admin.badges import badge
from practices.admin.base import TenantAdmin
from practices.admin.row_actions import RowAction
from practices.tenancy import current_actor


class OpenFilter(admin.SimpleListFilter):
    title = "hold"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Open"), ("no", "Released")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset if self.value() is None else queryset.filter(released_at__isnull=self.value() == "yes")


@admin.register(LegalHold)
class LegalHoldAdmin(PatientRowMixin, WholeChartsMixin, TenantAdmin):
    """Charts that are kept whatever the policy says. Placed, then released; never edited."""

    list_display = ("patient", "show_state", "placed_by", "created_at", "released_at")
    list_filter = (OpenFilter,)
    link_filters = ("patient",)
    list_select_related = ("patient", "placed_by", "released_by")
    ordering = ("-created_at", "-id")
    sortable_by = ()
    autocomplete_fields = ("patient",)
    readonly_fields = ("patient_link", "show_state", "placed_by", "created_at", "released_by", "released_at")
    add_fieldsets = ((None, {"fields": ("patient", "reason")}),)
    fields = ("patient_link", "reason", "show_state", ("placed_by", "created_at"), ("released_by", "released_at"))

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = LegalHold.objects.filter(patient__in=Patient.objects.visible_to(current_actor()))
        return rows.select_related(*self.list_select_related).order_by(*self.ordering)

    def record_read(self, request: HttpRequest, rows: Iterable[LegalHold]) -> None:
        if ids := [row.patient_id for row in rows]:
            patient_data_read.send(LegalHold, patient_ids=ids)

    def describe(self, row: LegalHold) -> str:
        return f"{row.patient} · held since {row.created_at:%Y-%m-%d}"

    @admin.display(description="State")
    def show_state(self, row: LegalHold) -> str:
        return badge("Released", "default") if row.released_at else badge("Open", "warning")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "reason":
            kwargs["widget"] = UnfoldAdminTextareaWidget(attrs={"rows": 3})
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def store(self, request: HttpRequest, obj: LegalHold, form: Any, *, change: bool) -> None:
        obj.pk = legal_holds.place(by=current_actor(), **form.answers()).pk
        obj.refresh_from_db()

    def get_row_actions(self, request: HttpRequest, row: LegalHold) -> Sequence[RowAction]:
        if row.released_at is not None:
            return ()
        return (RowAction("release", "Release", "lock_open", _release, "The retention policy counts again."),)


def _release(row: LegalHold) -> None:
    legal_holds.release(hold=row, by=current_actor())
