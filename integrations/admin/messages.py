from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget

from integrations.models import Message, MessageTemplate
from patients.lookup import find_patients
from patients.models import Patient
from patients.signals import patient_data_read
from practices.admin.badges import badge
from practices.admin.base import ReadOnlyAdmin, TenantAdmin
from practices.tenancy import current_actor

STATUS_COLOURS = {"queued": "info", "sending": "info", "sent": "success", "failed": "danger"}


@admin.register(MessageTemplate)
class MessageTemplateAdmin(TenantAdmin):
    list_display = ("kind", "channel", "subject", "active")
    list_filter = ("kind", "channel", "active")
    search_fields = ("subject",)
    fields = (("kind", "channel"), "subject", "body", "active")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "body":
            kwargs["widget"] = UnfoldAdminTextareaWidget(attrs={"rows": 8})
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """What was sent to patients, and what became of it."""

    list_display = ("created_at", "patient", "kind", "channel", "show_status", "error_code")
    list_filter = ("status", "channel", "kind")
    link_filters = ("patient",)
    list_select_related = ("patient",)
    search_fields = ("patient",)
    search_help_text = "Patient: beginnings of names, or a whole MRN, phone number, email address or birth date"
    sortable_by = ()
    fieldsets = (
        (None, {"fields": (("patient", "appointment"), ("kind", "channel"), "to")}),
        ("Delivery", {"fields": (("show_status", "sent_at"), ("vendor", "vendor_id"), "error_code")}),
    )
    readonly_fields = ("show_status",)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).visible_to(current_actor())
        return rows.select_related("patient", "appointment")

    def record_read(self, request: HttpRequest, rows: Iterable[Message]) -> None:
        if ids := [row.patient_id for row in rows]:
            patient_data_read.send(Message, patient_ids=ids)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if not search_term.strip():
            return queryset, False
        patients = find_patients(Patient.objects.visible_to(current_actor()), search_term)
        return queryset.filter(patient__in=patients.order_by().values("pk")), False

    @admin.display(description="Status", ordering="status")
    def show_status(self, row: Message) -> str:
        return badge(row.get_status_display(), STATUS_COLOURS[row.status])
