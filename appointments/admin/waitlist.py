from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget

from appointments.admin.appointment import HIDDEN, sees
from appointments.admin.calendar import WEEKDAYS
from appointments.models import WaitlistEntry, WaitlistOffer, WaitlistWindow
from appointments.services import waitlist
from patients.models import Patient
from patients.signals import patient_data_read
from practices.admin.badges import badge
from practices.admin.base import ReadOnlyInline, TenantAdmin, TenantInline
from practices.admin.row_actions import RowAction
from practices.tenancy import current_actor

STATUS_COLOURS = {"waiting": "warning", "offered": "info", "booked": "success", "withdrawn": "default"}


class WaitlistWindowInline(TenantInline):
    model = WaitlistWindow
    verbose_name_plural = "Only at these hours"
    fields = ("weekday", "start_time", "end_time")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "weekday":
            return forms.TypedChoiceField(
                choices=[("", "Any day"), *WEEKDAYS],
                coerce=int,
                empty_value=None,
                required=False,
                widget=UnfoldAdminSelectWidget,
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)


class WaitlistOfferInline(ReadOnlyInline):
    model = WaitlistOffer
    verbose_name_plural = "Offered"
    fields = ("appointment", "outcome")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("appointment")


@admin.register(WaitlistEntry)
class WaitlistEntryAdmin(TenantAdmin):
    """Who would take a time that becomes free. Offering holds the first free one; confirming the visit books it."""

    list_display = ("patient_name", "appointment_type", "priority", "earliest_date", "latest_date", "show_status")
    list_filter = ("status", "appointment_type", "provider", "location")
    list_select_related = ("patient", "appointment_type", "provider", "location")
    ordering = ("priority", "created_at", "id")
    sortable_by = ("priority", "earliest_date")
    autocomplete_fields = ("patient",)
    inlines = (WaitlistWindowInline, WaitlistOfferInline)
    fields = (
        ("patient", "appointment_type"),
        ("provider", "location"),
        "priority",
        ("earliest_date", "latest_date"),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def record_read(self, request: HttpRequest, rows: Iterable[WaitlistEntry]) -> None:
        if ids := [row.patient_id for row in rows if sees(row.patient)]:
            patient_data_read.send(WaitlistEntry, patient_ids=ids)

    def describe(self, row: WaitlistEntry) -> str:
        return f"{self.patient_name(row)} · {row.appointment_type}"

    @admin.display(description="Patient")
    def patient_name(self, row: WaitlistEntry) -> str:
        return str(row.patient) if sees(row.patient) else HIDDEN

    @admin.display(description="Status", ordering="status")
    def show_status(self, row: WaitlistEntry) -> str:
        return badge(row.get_status_display(), STATUS_COLOURS[row.status])

    def get_fields(self, request: HttpRequest, obj: WaitlistEntry | None = None) -> Any:
        shown = (("patient_name", "show_status"), "appointment_type", *self.fields[1:])
        return self.fields if obj is None else shown

    def get_readonly_fields(self, request: HttpRequest, obj: WaitlistEntry | None = None) -> tuple[str, ...]:
        return ("patient_name", "show_status") if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        hidden = isinstance(obj, WaitlistEntry) and not sees(obj.patient)
        return not hidden and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Entries are withdrawn, never deleted."""
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "patient":
            kwargs["queryset"] = Patient.objects.visible_to(current_actor())
        elif isinstance(db_field, models.ForeignKey):
            kwargs["queryset"] = db_field.related_model._default_manager.filter(active=True)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def store(self, request: HttpRequest, obj: WaitlistEntry, form: Any, *, change: bool) -> None:
        by = current_actor()
        if change:
            waitlist.change(obj, by=by, **form.changes())
            return
        added = waitlist.add(by=by, **form.answers())
        obj.pk, obj._state.adding = added.pk, False
        obj.refresh_from_db()

    def get_row_actions(self, request: HttpRequest, row: WaitlistEntry) -> Sequence[RowAction]:
        if not self.has_change_permission(request, row):
            return ()
        offer = RowAction("offer", "Offer the next free time", "schedule_send", _offer, "A time is held.", "primary")
        drop = RowAction("withdraw", "Withdraw", "person_remove", _withdraw, "Taken off the waitlist.", "danger")
        return {"waiting": (offer, drop), "offered": (drop,)}.get(row.status, ())


def _offer(row: WaitlistEntry) -> None:
    waitlist.offer(row, by=current_actor())


def _withdraw(row: WaitlistEntry) -> None:
    waitlist.withdraw(row, by=current_actor())
