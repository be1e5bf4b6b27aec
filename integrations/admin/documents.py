from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextInputWidget

from integrations.admin.downloads import DownloadMixin
from integrations.documents import services
from integrations.documents.sniffing import ALLOWED
from patients.admin.rows import PatientRowMixin
from patients.models import Patient, PatientDocument
from patients.signals import patient_data_read
from practices.admin.badges import badge
from practices.admin.base import TenantAdmin
from practices.admin.forms import TenantForm
from practices.tenancy import current_actor

STATUS_COLOURS = {"current": "success", "superseded": "default", "entered-in-error": "danger"}
SENSITIVITY_COLOURS = {"normal": "default", "restricted": "warning"}


class UploadForm(TenantForm):
    upload = forms.FileField(
        label="File",
        max_length=200,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ",".join(ALLOWED)}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = filesizeformat(settings.MAX_DOCUMENT_BYTES)
        self.fields["upload"].help_text = f"PDF, JPEG, PNG, TIFF or WebP, at most {most}."


@admin.register(PatientDocument)
class PatientDocumentAdmin(PatientRowMixin, DownloadMixin, TenantAdmin):
    """Files in charts. Never deleted: one that was wrong is entered in error."""

    list_display = ("title", "patient", "show_category", "show_sensitivity", "show_status", "created_at")
    list_filter = ("category", "sensitivity", "status")
    link_filters = ("patient",)
    list_select_related = ("patient", "file", "added_by")
    sortable_by = ()
    ordering = ("-id",)
    autocomplete_fields = ("patient",)
    readonly_fields = ("patient_link", "show_file", "added_by", "created_at")
    add_fieldsets = ((None, {"fields": ("patient", "title", ("category", "sensitivity"), "upload")}),)
    fieldsets = (
        (None, {"fields": ("patient_link", "title", ("category", "sensitivity"), "status")}),
        ("File", {"fields": ("show_file", ("added_by", "created_at"))}),
    )

    # --- Reading --------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> Any:
        by = current_actor()
        rows = PatientDocument.objects.visible_to(by).filter(patient__in=Patient.objects.visible_to(by))
        return rows.select_related(*self.list_select_related).order_by(*self.ordering)

    def record_read(self, request: HttpRequest, rows: Iterable[PatientDocument]) -> None:
        if ids := [row.patient_id for row in rows]:
            patient_data_read.send(PatientDocument, patient_ids=ids)

    def link_to(self, row: PatientDocument) -> str:
        url, _ = services.link_to(row)
        return url

    @admin.display(description="Category")
    def show_category(self, row: PatientDocument) -> str:
        return row.get_category_display()

    @admin.display(description="Sensitivity")
    def show_sensitivity(self, row: PatientDocument) -> str:
        return badge(row.get_sensitivity_display(), SENSITIVITY_COLOURS[row.sensitivity])

    @admin.display(description="Status")
    def show_status(self, row: PatientDocument) -> str:
        return badge(row.get_status_display(), STATUS_COLOURS[row.status])

    @admin.display(description="File")
    def show_file(self, row: PatientDocument) -> str:
        file: Any = row.file
        return f"{file.filename} ({file.content_type}, {filesizeformat(file.size)})"

    # --- Writing --------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs.setdefault("form", TenantForm if obj else UploadForm)
        return super().get_form(request, obj, change=change, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "title":
            kwargs["widget"] = UnfoldAdminTextInputWidget
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "sensitivity" and not services.may_write_restricted(current_actor(), own=True):
            kwargs["choices"] = [each for each in db_field.choices if each[0] != services.RESTRICTED]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def store(self, request: HttpRequest, obj: PatientDocument, form: Any, *, change: bool) -> None:
        by = current_actor()
        if change:
            services.change_document(document=obj, by=by, **form.changes())
            return
        answers = form.answers()
        made = services.upload_document(by=by, file=answers.pop("upload"), **answers)
        obj.pk = made.pk

    def response_post_save_add(self, request: HttpRequest, obj: PatientDocument) -> HttpResponse:
        """Back to the chart."""
        return redirect("admin:patients_patient_change", obj.patient_id)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Restricted ones only by whom they are from."""
        hidden = isinstance(obj, PatientDocument) and obj.loaded_values.get("sensitivity") == services.RESTRICTED
        by = current_actor() if hidden else None
        if by is not None and not services.may_write_restricted(by, own=obj.added_by_id == by.id):
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
