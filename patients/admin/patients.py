from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextInputWidget

from accounts.roles import Access, Area, allowed
from config.api.problem import Problem
from patients import services
from patients.admin import break_glass, chart, merging
from patients.contact_values import normalised_email, normalised_phone, region
from patients.lookup import find_patients
from patients.minors import guardians_on, is_minor_on, practice_day
from patients.models import ContactPoint, LegalHold, Patient, PatientIdentifier
from patients.problems import PossibleDuplicate
from patients.querysets import PatientQuerySet
from patients.signals import patient_data_read
from practices.admin.badges import badge
from practices.admin.base import TenantAdmin, TenantInline
from practices.admin.forms import TenantForm
from practices.admin.row_actions import RowAction
from practices.tenancy import current_actor

STATUS_COLOURS = {"active": "success", "archived": "warning", "merged": "danger"}
DUPLICATE = "This may be a patient you have already: {}. If it is somebody else, say below why, and save again."


class PatientForm(TenantForm):
    """Adding asks for the primary contact points as well, and why a likely duplicate is none."""

    phone = forms.CharField(required=False, max_length=40, widget=UnfoldAdminTextInputWidget)
    email = forms.CharField(required=False, max_length=254, widget=UnfoldAdminEmailInputWidget)
    force_reason = forms.CharField(
        label="Why this is somebody else",
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text="Only when a likely duplicate was found, such as a twin.",
    )

    class Meta:
        model = Patient
        fields = "__all__"  # the admin names them

    def explain(self, problem: Problem) -> list[Any]:
        if not isinstance(problem, PossibleDuplicate):
            return super().explain(problem)
        found = problem.members["candidates"]
        patient_data_read.send(Patient, patient_ids=[each["id"] for each in found])
        links = (
            (
                reverse("admin:patients_patient_change", args=[each["id"]]),
                f"{each['family_name']}, {each['given_name']} ({each['mrn']})",
            )
            for each in found
        )
        return [format_html(DUPLICATE, format_html_join("; ", '<a href="{}" class="underline">{}</a>', links))]


class ContactForm(TenantForm):
    class Meta:
        model = ContactPoint
        fields = ("kind", "value", "use", "rank")

    def clean(self) -> Any:
        cleaned = super().clean()
        kind, value = self.cleaned_data.get("kind"), self.cleaned_data.get("value")
        if kind and value:
            try:
                normal = normalised_email(value) if kind == "email" else normalised_phone(value, region())
                self.cleaned_data["value"] = normal
            except ValidationError as error:
                self.add_error("value", error)
        return cleaned


class ValueInline(TenantInline):
    """A part of the chart with an encrypted value."""

    tab = True

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "value":
            kwargs["widget"] = UnfoldAdminTextInputWidget
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Removing a number is an edit of the chart."""
        return bool(self.has_change_permission(request, obj))


class ContactInline(ValueInline):
    model = ContactPoint
    form = ContactForm
    verbose_name_plural = "Phone and email"
    fields = ("kind", "value", "use", "rank", "seen_version")


class IdentifierInline(ValueInline):
    model = PatientIdentifier
    verbose_name_plural = "Identifiers"
    fields = ("type", "value", "period_start", "period_end", "seen_version")


@admin.register(Patient)
class PatientAdmin(TenantAdmin):
    form = PatientForm
    list_display = ("name", "birth", "mrn", "show_phone", "show_status")
    list_filter = ("status",)
    search_fields = ("mrn",)
    search_help_text = "Beginnings of names, or a whole MRN, phone number, email address or birth date (1984-07-30)"
    list_before_template = "admin/break_glass_link.html"
    sortable_by = ("name", "birth", "mrn")
    ordering = ("sort_name", "id")
    inlines = (ContactInline, IdentifierInline, *chart.TABS)
    readonly_fields = ("mrn", "show_status", "show_guardians")
    person = (
        ("given_name", "family_name"),
        ("preferred_name", "pronouns"),
        ("birth_date", "birth_date_precision"),
        ("sex", "gender_identity"),
        ("language", "time_zone"),
    )
    add_fieldsets = (
        (None, {"fields": person}),
        ("Contact", {"fields": (("phone", "email"),)}),
        ("Chart", {"fields": ("restricted", "force_reason")}),
    )
    fieldsets = (
        (None, {"fields": person}),
        ("Chart", {"fields": (("mrn", "show_status"), "show_guardians", "restricted", "deceased_at")}),
    )

    # --- Reading --------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> PatientQuerySet:
        visible: PatientQuerySet = Patient.objects.visible_to(current_actor())
        return visible.order_by(*self.ordering)

    def record_read(self, request: HttpRequest, rows: Iterable[Patient]) -> None:
        if ids := [row.pk for row in rows]:
            patient_data_read.send(Patient, patient_ids=ids)

    def describe(self, row: Patient) -> str:
        return " · ".join(part for part in (str(row), self.birth(row), row.mrn) if part)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (find_patients(queryset, search_term) if search_term.strip() else queryset), False

    @admin.display(description="Name", ordering="sort_name")
    def name(self, row: Patient) -> str:
        return f"{row} ({row.preferred_name})" if row.preferred_name else str(row)

    @admin.display(description="Born", ordering="birth_date")
    def birth(self, row: Patient) -> str:
        if row.birth_date is None:
            return ""
        return date_format(row.birth_date, {"year": "Y", "month": "M Y"}.get(row.birth_date_precision, "j M Y"))

    def prepare(self, rows: Sequence[Any]) -> None:
        phones = ContactPoint.objects.primary_of([row.pk for row in rows])
        for row in rows:
            row.shown_phone = phones.get((row.pk, "phone"), "")

    @admin.display(description="Phone")
    def show_phone(self, row: Any) -> str:
        return row.shown_phone

    @admin.display(description="Status")
    def show_status(self, row: Patient) -> str:
        return badge(row.get_status_display(), STATUS_COLOURS[row.status])

    @admin.display(description="Of age")
    def show_guardians(self, row: Patient) -> str:
        """For a minor: who decides for them today."""
        today = practice_day()
        if not is_minor_on(row, today):
            return "Yes" if row.birth_date else "Not known"
        named = [f"{each} ({each.get_authority_display().lower()})" for each in guardians_on(row, today)]
        return f"No. {'; '.join(named) or 'Nobody is noted who decides for them'}."

    # --- Writing --------------------------------------------------------------------------------

    def get_inlines(self, request: HttpRequest, obj: Patient | None) -> Any:
        return self.inlines if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            kwargs.setdefault("form", TenantForm)
        return super().get_form(request, obj, change=change, **kwargs)

    def store(self, request: HttpRequest, obj: Patient, form: Any, *, change: bool) -> None:
        by = current_actor()
        if change:
            services.update_patient(patient=obj, by=by, **form.changes())
            return
        reason = form.cleaned_data["force_reason"]
        created = services.create_patient(by=by, force=bool(reason.strip()), **form.answers())
        obj.pk, obj.mrn = created.pk, created.mrn

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        patient = form.instance
        for each in formset.deleted_forms:
            if not each.instance._state.adding:
                chart.remove_part(each.instance)
        for each in formset.forms:
            if each not in formset.deleted_forms and each.changes():
                save = _save_value if formset.model in (ContactPoint, PatientIdentifier) else chart.save_part
                save(patient, each)

    def get_row_links(self, request: HttpRequest, row: Patient) -> Sequence[tuple[str, str, str]]:
        links = []
        if row.status == Patient.Status.ACTIVE and request.user.has_perm("appointments.add_appointment"):
            url = f"{reverse('admin:appointments_appointment_add')}?patient={row.pk}"
            links.append(("Book a visit", "add", url))
        if request.user.has_perm("appointments.view_appointment"):
            url = f"{reverse('admin:appointments_appointment_changelist')}?patient__id__exact={row.pk}"
            links.append(("Visits", "calendar_month", url))
        if row.status == Patient.Status.ACTIVE and request.user.has_perm("patients.add_patientdocument"):
            url = f"{reverse('admin:patients_patientdocument_add')}?patient={row.pk}"
            links.append(("Add a document", "upload_file", url))
        if _may_export():
            url = f"{reverse('admin:integrations_patientexport_add')}?patient={row.pk}"
            links.append(("Copy for the patient", "folder_zip", url))
            links.append(_hold_link(row))
        if row.merged_into_id is not None:
            url = reverse("admin:patients_patient_change", args=[row.merged_into_id])
            links.append(("The chart it went into", "join", url))
        return links

    def get_row_actions(self, request: HttpRequest, row: Patient) -> Sequence[RowAction]:
        if not self.has_change_permission(request, row):
            return ()
        keeping = {
            "active": [RowAction("archive", "Archive", "archive", _archive, "The chart is archived.")],
            "archived": [RowAction("unarchive", "Bring back", "unarchive", _unarchive, "The chart is active again.")],
        }
        joining = merging.actions(row) if _may_merge() else ()
        return [*keeping.get(row.status, ()), *joining]

    def row_action_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponseBase:
        if name in {"merge", "unmerge"} and not _may_merge():
            raise PermissionDenied
        return super().row_action_view(request, object_id, name)

    # --- Break-glass ----------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.break_glass_view)
        urls: list[Any] = super().get_urls()
        return [path("break-glass/", view, name="patients_patient_break_glass"), *urls]

    def break_glass_view(self, request: HttpRequest) -> HttpResponseBase:
        return break_glass.view(request, self.admin_site)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {**(extra_context or {}), "may_break_glass": break_glass.may()}
        return super().changelist_view(request, context)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Charts are archived, never deleted."""
        return False


def _may_merge() -> bool:
    return allowed(current_actor().roles, Area.MERGE, Access.FULL)


def _may_export() -> bool:
    return allowed(current_actor().roles, Area.EXPORT, Access.FULL)


def _hold_link(row: Patient) -> tuple[str, str, str]:
    """To the holds on a chart that has some open, else to placing one."""
    if LegalHold.objects.filter(patient=row, released_at=None).exists():
        return "On legal hold", "gavel", f"{reverse('admin:patients_legalhold_changelist')}?patient__id__exact={row.pk}"
    return "Place a legal hold", "gavel", f"{reverse('admin:patients_legalhold_add')}?patient={row.pk}"


def _archive(row: Patient) -> None:
    services.archive(patient=row, by=current_actor())


def _unarchive(row: Patient) -> None:
    services.unarchive(patient=row, by=current_actor())


def _save_value(patient: Patient, form: Any) -> None:
    """Of a contact point or identifier, which have rules of their own."""
    by, is_contact = current_actor(), isinstance(form.instance, ContactPoint)
    if form.instance._state.adding:
        add = services.add_contact if is_contact else services.add_identifier
        add(patient=patient, by=by, **chart.given(form))
    elif is_contact:
        services.change_contact(contact=form.instance, by=by, **form.changes())
    else:
        services.change_identifier(identifier=form.instance, by=by, **form.changes())
