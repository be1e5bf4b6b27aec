from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from integrations.imports import services
from integrations.models import ImportJob, ImportRowError
from patients.admin.rows import WholeChartsMixin
from patients.imports import Duplicates, Mode
from patients.imports.reading import FIELDS
from practices.admin.badges import badge
from practices.admin.base import ReadOnlyAdmin, TenantAdmin
from practices.admin.forms import TenantForm
from practices.admin.row_actions import RowAction, RowActionForm
from practices.tenancy import current_actor

Status = ImportJob.Status
UNDER_WAY = {Status.QUEUED, Status.RUNNING}
STATUS_COLOURS = {"queued": "info", "running": "info", "done": "success", "failed": "danger"}
MODES = [
    (Mode.ALL_OR_NOTHING.value, "All rows or none"),
    (Mode.VALID_ROWS.value, "Rows that are sound"),
]
DUPLICATES = [
    (Duplicates.REFUSE.value, "Refuse the row"),
    (Duplicates.SKIP.value, "Pass over the row"),
    (Duplicates.CREATE.value, "Create another patient"),
]
SHOWN = 15
REFRESH_SECONDS = "3"


class MappingField(forms.CharField):
    """Lines such as `Surname = family_name`."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 4, "placeholder": "Surname = family_name"})

    def __init__(self, **kwargs: Any) -> None:
        named = f"One column a line: its heading in the file, an equals sign, and one of {', '.join(FIELDS)}."
        kwargs |= {"required": False, "max_length": 10_000, "label": "Columns"}
        super().__init__(**kwargs, help_text=f"{named} Left empty, headings are called as these are.")

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{heading} = {name}" for heading, name in value.items()) if isinstance(value, dict) else value

    def clean(self, value: Any) -> Any:
        lines = [line for line in super().clean(value).splitlines() if line.strip()]
        mapping = {heading.strip(): name.strip() for heading, _, name in (line.rpartition("=") for line in lines)}
        if unknown := [name for name in mapping.values() if name not in FIELDS]:
            raise ValidationError(f"There is no field {', '.join(unknown)}.", code="invalid_choice")
        if not services.is_reasonable(mapping):
            raise ValidationError("These are too many or too long headings.", code="too_large")
        return mapping


def mode_field() -> forms.ChoiceField:
    return forms.ChoiceField(label="What is created", choices=MODES, widget=UnfoldAdminSelectWidget)


def duplicates_field() -> forms.ChoiceField:
    return forms.ChoiceField(label="Likely duplicates", choices=DUPLICATES, widget=UnfoldAdminSelectWidget)


class ImportForm(TenantForm):
    file = forms.FileField(
        label="CSV file", max_length=200, help_text="UTF-8, with headings.", widget=UnfoldAdminFileFieldWidget
    )
    mapping = MappingField()
    mode = mode_field()
    duplicates = duplicates_field()
    dry_run = forms.BooleanField(
        label="Trial run",
        initial=True,
        required=False,
        help_text="Says what would happen and creates nobody.",
        widget=UnfoldBooleanSwitchWidget,
    )


class AgainForm(RowActionForm):
    """The same file with other answers."""

    mapping = MappingField()
    mode = mode_field()
    duplicates = duplicates_field()

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        self.initial = {"mapping": row.mapping, "mode": row.mode, "duplicates": row.duplicates}


@admin.register(ImportJob)
class ImportJobAdmin(WholeChartsMixin, TenantAdmin):
    """Patients out of a CSV file: a trial first, then all of it or what is sound."""

    list_display = ("show_file", "show_status", "show_kind", "rows", "created", "skipped", "failed", "started_at")
    list_filter = ("status", "dry_run")
    list_select_related = ("upload", "requested_by")
    ordering = ("-created_at", "-id")
    sortable_by = ()
    readonly_fields = (
        *("show_file", "show_status", "show_kind", "show_mode", "show_duplicates", "show_mapping", "requested_by"),
        *("started_at", "finished_at", "rows", "created", "skipped", "failed", "show_problem", "show_errors"),
    )
    add_fieldsets = ((None, {"fields": ("file", "mapping", ("mode", "duplicates"), "dry_run")}),)

    # --- Reading --------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> Any:
        return ImportJob.objects.select_related(*self.list_select_related).order_by(*self.ordering)

    def get_readonly_fields(self, request: HttpRequest, obj: ImportJob | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: ImportJob | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        problem = ("show_problem",) if obj.error_code else ()
        errors = ("show_errors",) if obj.failed else ()
        asked = ("show_mapping", ("show_mode", "show_duplicates"), ("requested_by", "started_at"))
        result = (("rows", "created"), ("skipped", "failed"), *errors)
        return (
            (None, {"fields": ("show_file", ("show_status", "show_kind"), *problem, "finished_at")}),
            ("Rows", {"fields": result}),
            ("Asked for", {"fields": asked}),
        )

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Looks again by itself while the job goes on."""
        response: HttpResponseBase = super().change_view(request, object_id, *args, **kwargs)
        row = (getattr(response, "context_data", None) or {}).get("original")
        if row is not None and row.status in UNDER_WAY:
            response["Refresh"] = REFRESH_SECONDS
        return response

    def describe(self, row: ImportJob) -> str:
        return f"{self.show_file(row)} · {self.show_kind(row)}"

    @admin.display(description="File")
    def show_file(self, row: ImportJob) -> str:
        """It is removed a day after it came; the import stays."""
        upload: Any = row.upload
        return upload.filename if upload else "A file that was removed"

    @admin.display(description="Status")
    def show_status(self, row: ImportJob) -> str:
        return badge(row.get_status_display(), STATUS_COLOURS[row.status])

    @admin.display(description="Kind")
    def show_kind(self, row: ImportJob) -> str:
        return "Trial run" if row.dry_run else "Import"

    @admin.display(description="Started")
    def started_at(self, row: ImportJob) -> str:
        return _moment(row.created_at)

    @admin.display(description="What is created")
    def show_mode(self, row: ImportJob) -> str:
        return dict(MODES)[row.mode]

    @admin.display(description="Likely duplicates")
    def show_duplicates(self, row: ImportJob) -> str:
        return dict(DUPLICATES)[row.duplicates]

    @admin.display(description="Columns")
    def show_mapping(self, row: ImportJob) -> str:
        named = [f"{heading} = {name}" for heading, name in row.mapping.items()]
        return "; ".join(named) or "Called as the fields are"

    @admin.display(description="Why it failed")
    def show_problem(self, row: ImportJob) -> str:
        return _spelled_out(row.error_code)

    @admin.display(description="What is wrong")
    def show_errors(self, row: ImportJob) -> SafeString:
        """The first of them, and where the others are."""
        errors = list(row.row_errors.order_by("line", "id")[:SHOWN])
        lines = format_html_join(
            "", "<tr><td>Line {}</td><td>{}</td><td>{}</td></tr>", (_cells(error) for error in errors)
        )
        url = f"{reverse('admin:integrations_importrowerror_changelist')}?job__id__exact={row.pk}"
        link = format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">All of them</a>', url)
        return format_html('<table class="changes" id="row-errors">{}</table>{}', lines, link)

    # --- Writing --------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs.setdefault("form", TenantForm if obj else ImportForm)
        return super().get_form(request, obj, change=change, **kwargs)

    def store(self, request: HttpRequest, obj: ImportJob, form: Any, *, change: bool) -> None:
        by, answers = current_actor(), form.answers()
        upload = services.receive_file(by=by, file=answers.pop("file"))
        obj.pk = services.start(by=by, upload=upload, **answers).pk

    def response_post_save_add(self, request: HttpRequest, obj: ImportJob) -> HttpResponse:
        """To where it is told how far it is."""
        return redirect("admin:integrations_importjob_change", obj.pk)

    def get_row_actions(self, request: HttpRequest, row: ImportJob) -> Sequence[RowAction]:
        """The file is at hand for a day, to whom it is from."""
        upload: Any = row.upload
        if row.status in UNDER_WAY or upload is None or upload.uploaded_by_id != current_actor().id:
            return ()
        trial = RowAction(
            "trial", "Another trial", "science", partial(_again, dry_run=True), "The trial begins.", form=AgainForm
        )
        if row.status != Status.DONE or not row.dry_run:
            return (trial,)
        run = partial(_again, dry_run=False)
        return (RowAction("import", "Import", "upload", run, "The import begins.", "primary", AgainForm), trial)


@admin.register(ImportRowError)
class ImportRowErrorAdmin(WholeChartsMixin, ReadOnlyAdmin):
    """What is wrong with rows of imports, by line: the first thousand of each."""

    list_display = ("line", "show_field", "show_code", "job_link")
    list_display_links = None
    link_filters = ("job",)
    list_select_related = ("job",)
    ordering = ("job", "line", "id")
    sortable_by = ()
    fields = ("job_link", "line", "show_field", "show_code")
    readonly_fields = fields

    @admin.display(description="Field")
    def show_field(self, row: ImportRowError) -> str:
        return _spelled_out(row.field) or "The row"

    @admin.display(description="What is wrong")
    def show_code(self, row: ImportRowError) -> str:
        return _spelled_out(row.code)

    @admin.display(description="Import")
    def job_link(self, row: ImportRowError) -> SafeString:
        url = reverse("admin:integrations_importjob_change", args=[row.job_id])
        label = _moment(row.job.created_at)
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, label)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


def _again(row: ImportJob, *, dry_run: bool, **options: Any) -> ImportJob:
    upload: Any = row.upload
    return services.start(by=current_actor(), upload=upload, dry_run=dry_run, **options)


def _moment(value: datetime) -> str:
    return date_format(timezone.localtime(value), "j M Y, H:i")


def _cells(error: ImportRowError) -> tuple[Any, ...]:
    return error.line, _spelled_out(error.field) or "The row", _spelled_out(error.code)


def _spelled_out(code: str) -> str:
    return code.replace("_", " ").capitalize()
