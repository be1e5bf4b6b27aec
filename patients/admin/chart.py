"""The tabs of a patient's chart. Rows are saved by the services, which hold the rules."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import StackedInline
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.roles import Access, Area, Role, allowed
from patients import services
from patients.models import (
    Address,
    Alert,
    Allergy,
    Consent,
    Coverage,
    MedicationStatement,
    Patient,
    PatientDocument,
    PatientNote,
    PatientTag,
    RelatedPerson,
)
from patients.models.alert import AlertQuerySet
from patients.models.document import PatientDocumentQuerySet
from practices.admin.base import ReadOnlyInline, TenantInline
from practices.admin.forms import TenantForm
from practices.tenancy import current_actor

PERIOD = ("period_start", "period_end")
LONG_TEXT = ("note", "text")


class _Tab:
    """One line for what is encrypted, but for texts, and no deleting but where that is an edit of the chart."""

    tab = True
    removable = False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.get_internal_type() == "TextField":
            is_long = db_field.name in LONG_TEXT
            kwargs["widget"] = UnfoldAdminTextareaWidget(attrs={"rows": 3}) if is_long else UnfoldAdminTextInputWidget
        return super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]  # of the inline beside it

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.removable and bool(self.has_change_permission(request, obj))  # type: ignore[attr-defined]  # likewise


class RowTab(_Tab, TenantInline):
    """A line each."""


class BlockTab(_Tab, StackedInline):
    """A block each, for what has many fields."""

    extra = 0
    show_change_link = False
    form = TenantForm


class AddressTab(BlockTab):
    model = Address
    removable = True
    fields = (
        ("line1", "line2"),
        ("postal_code", "city"),
        ("state", "country"),
        ("use", "type"),
        PERIOD,
        "seen_version",
    )


class RelatedPersonTab(BlockTab):
    model = RelatedPerson
    removable = True
    fields = (
        *(("given_name", "family_name"), ("relationship", "authority"), ("phone", "email")),
        *(("guardian", "emergency"), PERIOD, "seen_version"),
    )


class CoverageTab(BlockTab):
    model = Coverage
    fields = (("payer", "plan"), ("member_id", "order"), PERIOD, "status", "seen_version")


class AllergyTab(BlockTab):
    model = Allergy
    fields = (
        *(("substance", "category"), ("criticality", "onset"), "reaction"),
        *(("clinical_status", "verification_status"), ("code", "code_system"), "note", "seen_version"),
    )


class MedicationTab(BlockTab):
    model = MedicationStatement
    verbose_name_plural = "Medications"
    fields = (("medication", "dosage"), PERIOD, "status", ("code", "code_system"), "note", "seen_version")


class AlertForm(TenantForm):
    shown_to = forms.MultipleChoiceField(
        choices=Role.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Roles that see it, of those that may read alerts; none means all.",
    )


class AlertTab(BlockTab):
    model = Alert
    form = AlertForm
    fields = ("text", ("severity", "status"), PERIOD, "shown_to", "seen_version")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Alert]":
        return cast("AlertQuerySet", super().get_queryset(request)).visible_to(current_actor())


class ConsentTab(RowTab):
    """Added to, never edited."""

    model = Consent
    fields = ("kind", "status", "at", "wording")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TagTab(RowTab):
    model = PatientTag
    removable = True
    verbose_name_plural = "Tags"
    fields = ("tag",)


class DocumentTab(ReadOnlyInline):
    """Files are added and fetched on pages of their own, which `integrations` brings."""

    model = PatientDocument
    tab = True
    verbose_name_plural = "Documents"
    fields = ("page", "category", "sensitivity", "status", "created_at", "download")
    readonly_fields = fields

    @admin.display(description="Title")
    def page(self, row: PatientDocument) -> SafeString:
        return self._link("change", row, row.title)

    @admin.display(description="File")
    def download(self, row: PatientDocument) -> SafeString:
        return self._link("download", row, "Download")

    def _link(self, page: str, row: PatientDocument, text: str) -> SafeString:
        url = reverse(f"admin:patients_patientdocument_{page}", args=[row.pk])
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, text)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[PatientDocument]":
        return cast("PatientDocumentQuerySet", super().get_queryset(request)).visible_to(current_actor())


class NoteTab(ReadOnlyInline):
    """Everybody's notes."""

    model = PatientNote
    tab = True
    verbose_name_plural = "Notes"
    fields = ("created_at", "author", "title", "text", "signed_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> "QuerySet[PatientNote]":
        rows: QuerySet[PatientNote] = super().get_queryset(request)
        return rows.select_related("author").order_by("-created_at")


class DraftForm(TenantForm):
    sign = forms.BooleanField(required=False, help_text="A signed note can't be changed any more.")


class DraftTab(BlockTab):
    """The notes that somebody is writing and hasn't signed: theirs alone to change."""

    model = PatientNote
    form = DraftForm
    removable = True
    verbose_name, verbose_name_plural = "draft", "My drafts"
    fields = ("title", "text", "sign", "seen_version")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[PatientNote]":
        rows: QuerySet[PatientNote] = super().get_queryset(request)
        return rows.filter(author_id=current_actor().id, signed_at__isnull=True)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._writes_notes()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._writes_notes()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._writes_notes()

    def _writes_notes(self) -> bool:
        return allowed(current_actor().roles, Area.NOTES, Access.WRITE, own=True)


TABS = (
    *(AddressTab, RelatedPersonTab, CoverageTab, AlertTab, AllergyTab, MedicationTab),
    *(DraftTab, NoteTab, ConsentTab, DocumentTab, TagTab),
)


def save_part(patient: Patient, form: Any) -> None:
    """A row that a tab added or changed."""
    row, by = form.instance, current_actor()
    save: Callable[..., None] = {Consent: _save_consent, PatientNote: _save_draft}.get(type(row), _save)
    save(patient, form, row, by)


def remove_part(row: Any) -> None:
    if isinstance(row, PatientNote):
        services.discard_note(note=row, by=current_actor())
    else:
        services.remove(row=row, by=current_actor())


def given(form: Any) -> dict[str, Any]:
    """The answers without those that only the form set needs."""
    return {name: value for name, value in form.answers().items() if name not in {"patient", "id", "DELETE"}}


def _save(patient: Patient, form: Any, row: Any, by: Any) -> None:
    if row._state.adding:
        services.add(row=type(row)(patient=patient, **given(form)), by=by)
    else:
        services.change(row=row, by=by, **form.changes())


def _save_consent(patient: Patient, form: Any, row: Any, by: Any) -> None:
    services.record_consent(patient=patient, by=by, **given(form))


def _save_draft(patient: Patient, form: Any, row: Any, by: Any) -> None:
    changes = form.changes()
    sign = changes.pop("sign", False)
    if row._state.adding:
        row = services.write_note(patient=patient, by=by, **changes)
    elif changes:
        services.change_note(note=row, by=by, **changes)
    if sign:
        services.sign_note(note=row, by=by)
