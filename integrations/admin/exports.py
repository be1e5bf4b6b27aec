from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from integrations.admin.downloads import DownloadMixin
from integrations.exports import services
from integrations.models import PatientExport
from patients.admin.rows import PatientRowMixin, WholeChartsMixin
from patients.models import Patient
from patients.signals import patient_data_exported, patient_data_read
from practices.admin.badges import badge
from practices.admin.base import TenantAdmin
from practices.tenancy import current_actor

STATUS_COLOURS = {"queued": "info", "ready": "success", "failed": "danger", "expired": "default"}
STATUS_NAMES = {"queued": "Being made", "ready": "Ready", "failed": "Failed", "expired": "Removed"}


@admin.register(PatientExport)
class PatientExportAdmin(PatientRowMixin, DownloadMixin, WholeChartsMixin, TenantAdmin):
    """Copies of all that is kept about a patient, for the patient. Asked for by adding one; a job makes it."""

    list_display = ("patient", "show_status", "show_size", "requested_by", "created_at", "expires_at")
    list_filter = ("status",)
    link_filters = ("patient",)
    list_select_related = ("patient", "requested_by")
    ordering = ("-created_at", "-id")
    sortable_by = ()
    autocomplete_fields = ("patient",)
    readonly_fields = (
        *("patient_link", "show_status", "error_code", "show_size"),
        *("requested_by", "created_at", "expires_at"),
    )
    add_fieldsets = ((None, {"fields": ("patient",), "description": "Everything: JSON, documents, and who looked."}),)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = PatientExport.objects.filter(patient__in=Patient.objects.visible_to(current_actor()))
        return rows.select_related(*self.list_select_related).order_by(*self.ordering)

    def record_read(self, request: HttpRequest, rows: Iterable[PatientExport]) -> None:
        if ids := [row.patient_id for row in rows]:
            patient_data_read.send(PatientExport, patient_ids=ids)

    def record_download(self, request: HttpRequest, row: PatientExport) -> None:
        for signal in (patient_data_exported, patient_data_read):
            signal.send(PatientExport, patient_ids=[row.patient_id])

    def link_to(self, row: PatientExport) -> str:
        url, _ = services.link_to(row)
        return url

    def has_file(self, row: PatientExport) -> bool:
        over = row.expires_at is None or row.expires_at <= timezone.now()
        return row.status == PatientExport.Status.READY and not over

    def describe(self, row: PatientExport) -> str:
        return f"{row.patient} · {row.created_at:%Y-%m-%d}"

    def get_fieldsets(self, request: HttpRequest, obj: PatientExport | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        made = ("show_size",) if obj.size else ()
        failed = ("error_code",) if obj.error_code else ()
        asked = (("requested_by", "created_at"), "expires_at")
        return ((None, {"fields": ("patient_link", "show_status", *failed, *made, *asked)}),)

    @admin.display(description="Status")
    def show_status(self, row: PatientExport) -> str:
        return badge(STATUS_NAMES[row.status], STATUS_COLOURS[row.status])

    @admin.display(description="Size")
    def show_size(self, row: PatientExport) -> str:
        return filesizeformat(row.size) if row.size else ""

    def store(self, request: HttpRequest, obj: PatientExport, form: Any, *, change: bool) -> None:
        obj.pk = services.request_export(by=current_actor(), **form.answers()).pk

    def response_post_save_add(self, request: HttpRequest, obj: PatientExport) -> HttpResponse:
        """To where it can be fetched soon."""
        return redirect("admin:integrations_patientexport_change", obj.pk)
