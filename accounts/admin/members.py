from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts import services
from accounts.models import Membership, ProviderProfile
from accounts.roles import Role
from practices.admin.badges import badge
from practices.admin.base import TenantAdmin
from practices.admin.forms import TenantForm
from practices.admin.row_actions import RowAction
from practices.tenancy import current_actor

STATUS_COLOURS = {"active": "success", "invited": "info", "suspended": "danger"}


class MembershipForm(TenantForm):
    roles = forms.MultipleChoiceField(choices=Role.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget)

    class Meta:
        model = Membership
        fields = ("roles",)


@admin.register(Membership)
class MembershipAdmin(TenantAdmin):
    """Who works here and as what. Changed roles hold from the member's next click."""

    form = MembershipForm
    list_display = ("show_name", "show_email", "show_roles", "show_status")
    list_filter = ("status",)
    list_select_related = ("user",)
    search_fields = ("user__name", "user__email")
    fields = (("show_name", "show_email"), "show_status", "roles")
    readonly_fields = ("show_name", "show_email", "show_status")
    sortable_by = ("show_name", "show_email")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("user")

    def describe(self, row: Membership) -> str:
        return str(row.user)

    @admin.display(description="Name", ordering="user__name")
    def show_name(self, row: Membership) -> str:
        return str(row.user)

    @admin.display(description="Email address", ordering="user__email")
    def show_email(self, row: Membership) -> str:
        return row.user.email

    @admin.display(description="Roles")
    def show_roles(self, row: Membership) -> str:
        return ", ".join(Role(role).label for role in row.roles)

    @admin.display(description="Status")
    def show_status(self, row: Membership) -> str:
        return badge(row.get_status_display(), STATUS_COLOURS[row.status])

    def get_row_actions(self, request: HttpRequest, row: Membership) -> Sequence[RowAction]:
        if not self.has_change_permission(request, row):
            return ()
        if row.status == Membership.Status.ACTIVE:
            return (RowAction("suspend", "Suspend", "person_off", _suspend, "The member is out.", "danger"),)
        if row.status == Membership.Status.SUSPENDED:
            return (RowAction("reactivate", "Reactivate", "person_check", _reactivate, "The member is back."),)
        return ()

    def store(self, request: HttpRequest, obj: Membership, form: Any, *, change: bool) -> None:
        services.change_roles(member=obj.pk, roles=form.cleaned_data["roles"], by=current_actor())

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        services.remove(member=obj.pk, by=current_actor())

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


def _suspend(row: Membership) -> None:
    services.suspend(member=row.pk, by=current_actor())


def _reactivate(row: Membership) -> None:
    services.reactivate(member=row.pk, by=current_actor())


class MemberChoiceField(forms.ModelChoiceField):  # type: ignore[type-arg]  # of memberships
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.user)


@admin.register(ProviderProfile)
class ProviderProfileAdmin(TenantAdmin):
    """Members who see patients. Their calendar comes and is renamed with them."""

    list_display = ("display_name", "specialty", "accepts_new", "active")
    list_filter = ("active", "accepts_new")
    search_fields = ("display_name", "specialty")
    fieldsets = (
        (None, {"fields": ("membership", ("display_name", "specialty"), "registration_number")}),
        ("Calendar", {"fields": (("time_zone", "colour"), ("accepts_new", "active"))}),
    )

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "membership":
            kwargs["form_class"] = MemberChoiceField
            kwargs["queryset"] = Membership.objects.filter(roles__contains=[Role.PROVIDER]).select_related("user")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("membership__user")

    def get_readonly_fields(self, request: HttpRequest, obj: ProviderProfile | None = None) -> tuple[str, ...]:
        return ("show_member",) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: ProviderProfile | None = None) -> Any:
        if obj is None:
            return self.fieldsets
        first = ("show_member", ("display_name", "specialty"), "registration_number")
        return ((None, {"fields": first}), *self.fieldsets[1:])

    @admin.display(description="Member")
    def show_member(self, row: ProviderProfile) -> str:
        return str(row.membership.user)

    def store(self, request: HttpRequest, obj: ProviderProfile, form: Any, *, change: bool) -> None:
        if change:
            services.update_provider(profile=obj, by=current_actor(), **form.changes())
        else:
            created = services.create_provider(by=current_actor(), **form.answers())
            obj.pk = created.pk

    def delete_model(self, request: HttpRequest, obj: ProviderProfile) -> None:
        services.delete_provider(profile=obj, by=current_actor())
