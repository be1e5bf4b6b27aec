"""Pages about rows that hang on a patient and have pages of their own."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.roles import Access, Area, allowed
from patients.lookup import find_patients
from patients.models import Patient
from practices.tenancy import current_actor, current_scope


class WholeChartsMixin:
    """For who may take whole charts out of the practice or keep them in it; a biller, who exports money, may not. What
    is asked for isn't edited afterwards.
    """

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        scope = current_scope()
        return scope is not None and allowed(scope.actor.roles, Area.EXPORT, Access.FULL)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """One at a time."""
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        return response


class PatientRowMixin:
    """For a TenantAdmin of a model with a `patient`; rows of patients whom the actor may not see aren't there."""

    search_fields = ("patient",)
    search_help_text = "Patient: beginnings of names, or a whole MRN, phone number, email address or birth date"

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The patient is locked before the row is, as merging does it: in the other order two could wait for each
        other.
        """
        if request.method == "POST":
            self._lock_patient(request, object_id)
        return super().get_object(request, object_id, from_field)  # type: ignore[misc]  # of the class beside it

    def _lock_patient(self, request: HttpRequest, object_id: str) -> None:
        admin: Any = self
        try:
            rows = admin.get_queryset(request).filter(pk=admin.model._meta.pk.to_python(object_id))
        except ValidationError:
            return
        patients = Patient.objects.filter(pk__in=rows.order_by().values("patient"))
        list(patients.order_by().select_for_update(of=("self",), no_key=True))

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if not search_term.strip():
            return queryset, False
        patients = find_patients(Patient.objects.visible_to(current_actor()), search_term)
        return queryset.filter(patient__in=patients.order_by().values("pk")), False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name != "patient":
            return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]  # likewise
        kwargs["queryset"] = Patient.objects.visible_to(current_actor())
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if isinstance(db_field, models.ForeignKey) and field is not None:
            field.widget.can_add_related = field.widget.can_change_related = field.widget.can_view_related = False
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()  # type: ignore[attr-defined]

    @admin.display(description="Patient")
    def patient_link(self, row: Any) -> SafeString:
        url = reverse("admin:patients_patient_change", args=[row.patient_id])
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, row.patient)
