"""A practice's own settings: places, calendars, closures, reasons, rules."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from practices.admin.badges import badge
from practices.admin.base import TenantAdmin
from practices.admin.forms import TenantForm
from practices.models import CancellationReason, Closure, Location, PracticePolicy, Resource
from practices.roles import Role
from practices.services import save_closure

KIND_COLOURS = {"provider": "info", "room": "success", "equipment": "warning"}


@admin.register(Location)
class LocationAdmin(TenantAdmin):
    list_display = ("name", "city", "phone", "time_zone", "active")
    list_filter = ("active",)
    search_fields = ("name", "city")
    fieldsets = (
        (None, {"fields": (("name", "phone"), ("time_zone", "active"))}),
        (
            "Address",
            {"fields": ("address_line1", "address_line2", ("city", "postal_code"), ("region", "country"))},
        ),
    )


@admin.register(Resource)
class ResourceAdmin(TenantAdmin):
    """Rooms and equipment. A provider's calendar comes, is renamed and goes with the provider."""

    list_display = ("name", "show_kind", "location", "capacity", "active")
    list_filter = ("kind", "location", "active")
    list_select_related = ("location",)
    search_fields = ("name",)
    fields = (("name", "kind"), ("location", "capacity"), "active")

    @admin.display(description="Kind", ordering="kind")
    def show_kind(self, row: Resource) -> str:
        return badge(row.get_kind_display(), KIND_COLOURS[row.kind])

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "kind":
            kwargs["choices"] = [each for each in Resource.Kind.choices if each[0] != Resource.Kind.PROVIDER]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Resource | None = None) -> tuple[str, ...]:
        return ("name", "kind", "active") if obj and obj.kind == Resource.Kind.PROVIDER else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        provider = isinstance(obj, Resource) and obj.kind == Resource.Kind.PROVIDER
        return not provider and super().has_delete_permission(request, obj)


@admin.register(Closure)
class ClosureAdmin(TenantAdmin):
    list_display = ("name", "location_name", "start_date", "end_date", "start_time", "end_time")
    list_filter = ("location",)
    list_select_related = ("location",)
    search_fields = ("name",)
    fields = ("name", "location", ("start_date", "end_date"), ("start_time", "end_time"))

    @admin.display(description="Where", ordering="location")
    def location_name(self, row: Closure) -> str:
        return row.location.name if row.location else "Everywhere"

    def store(self, request: HttpRequest, obj: Closure, form: Any, *, change: bool) -> None:
        save_closure(obj)


@admin.register(CancellationReason)
class CancellationReasonAdmin(TenantAdmin):
    list_display = ("name", "code", "by", "active")
    list_filter = ("by", "active")
    search_fields = ("name", "code")
    fields = (("name", "code"), ("by", "active"))


class PolicyForm(TenantForm):
    mfa_required_roles = forms.MultipleChoiceField(
        label="Roles that need a second factor",
        choices=Role.choices,
        required=False,
        help_text="Their members set up an authenticator app before they see anything else.",
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )


@admin.register(PracticePolicy)
class PracticePolicyAdmin(TenantAdmin):
    """One row a practice, made with it."""

    form = PolicyForm
    list_display = ("__str__", "min_notice_minutes", "horizon_days", "cancel_notice_hours", "require_cancel_reason")
    fieldsets = (
        ("Booking", {"fields": (("min_notice_minutes", "horizon_days"), ("hold_ttl_seconds", "offer_ttl_minutes"))}),
        ("Cancelling", {"fields": ("cancel_notice_hours", "require_cancel_reason", "no_show_after_minutes")}),
        ("Messages", {"fields": (("quiet_hours_start", "quiet_hours_end"),)}),
        ("Records", {"fields": ("retention_years",)}),
        ("Logging in", {"fields": ("mfa_required_roles",)}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
