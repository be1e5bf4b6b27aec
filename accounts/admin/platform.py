"""Practices and users as such. On the platform no row of any practice is seen."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminPasswordWidget, UnfoldBooleanSwitchWidget

from accounts import enrolment, services
from accounts.models import User
from accounts.second_factor import device_of
from accounts.sessions import log_out_everywhere, replace_password
from practices.admin.badges import badge
from practices.admin.base import TenantAdmin
from practices.admin.forms import TenantForm
from practices.admin.row_actions import RowAction
from practices.models import Practice
from practices.tenancy import current_actor, current_scope

STATUS_COLOURS = {"active": "success", "suspended": "warning", "closed": "danger"}


class OpenPracticeForm(TenantForm):
    owner_email = forms.EmailField(
        label="First owner's email address",
        help_text="Of an existing user, who can then log in and run the practice.",
        widget=UnfoldAdminEmailInputWidget,
    )

    owner_sees_patients = forms.BooleanField(
        label="The owner sees patients",
        required=False,
        help_text="Gives the provider role too; owners can't give it to themselves.",
        widget=UnfoldBooleanSwitchWidget,
    )

    def clean_owner_email(self) -> User:
        user = User.objects.filter(email=self.cleaned_data["owner_email"].lower(), is_active=True).first()
        if user is None:
            raise ValidationError("No active user has this address; add the user first.")
        return user


@admin.register(Practice)
class PracticeAdmin(TenantAdmin):
    """In a practice its own settings; on the platform all practices, to open, suspend and close."""

    list_display = ("name", "slug", "time_zone", "show_status")
    list_filter = ("status",)
    search_fields = ("name", "slug")
    fieldsets = (
        (None, {"fields": (("name", "legal_name"),)}),
        ("Region", {"fields": ("time_zone", ("locale", "currency"))}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """A member of several sees each only from inside."""
        scope = current_scope()
        practices = super().get_queryset(request)
        return practices if scope is None or scope.practice_id is None else practices.filter(pk=scope.practice_id)

    def get_fieldsets(self, request: HttpRequest, obj: Practice | None = None) -> Any:
        if obj is None:
            return (*self.fieldsets, ("Platform", {"fields": ("slug", "owner_email", "owner_sees_patients")}))
        return (*self.fieldsets, ("Platform", {"fields": (("slug", "status"),)})) if _on_platform() else self.fieldsets

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs.setdefault("form", TenantForm if obj else OpenPracticeForm)
        return super().get_form(request, obj, change=change, **kwargs)

    @admin.display(description="Status", ordering="status")
    def show_status(self, row: Practice) -> str:
        return badge(row.get_status_display(), STATUS_COLOURS[row.status])

    def store(self, request: HttpRequest, obj: Practice, form: Any, *, change: bool) -> None:
        if change:
            obj.save()
            return
        fields = form.answers()
        owner, sees_patients = fields.pop("owner_email"), fields.pop("owner_sees_patients")
        opened = services.open_practice(owner=owner, sees_patients=sees_patients, by=current_actor(), **fields)
        obj.pk = opened.pk

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _on_platform() and super().has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class UserForm(TenantForm):
    new_password = forms.CharField(
        required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Empty leaves it as it is. A new one ends the user's sessions everywhere.",
    )

    def clean_new_password(self) -> str:
        password: str = self.cleaned_data["new_password"]
        if password:
            validate_password(password, self.instance)
        elif self.instance._state.adding:
            raise ValidationError("A new user needs a password.")
        return password

    def clean(self) -> Any:
        cleaned = super().clean()
        actor = current_actor()
        loses = not (cleaned.get("is_active", True) and cleaned.get("is_superuser", True))
        if self.instance.pk == actor.id and loses:
            raise ValidationError("You can't take your own access away.")
        return cleaned


@admin.register(User)
class UserAdmin(TenantAdmin):
    form = UserForm
    list_display = ("email", "name", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "name")
    fields = (("email", "name"), "new_password", ("is_active", "is_superuser"), "last_login")
    readonly_fields = ("last_login",)

    def store(self, request: HttpRequest, obj: User, form: Any, *, change: bool) -> None:
        password = form.cleaned_data["new_password"]
        if not change:
            obj.set_password(password)
        obj.save()
        if change and password:
            replace_password(by=obj, password=password)
        elif change and not obj.is_active:
            log_out_everywhere(by=obj)

    def get_row_actions(self, request: HttpRequest, row: User) -> Sequence[RowAction]:
        """For a lost telephone. One's own takes the password and a code."""
        if row.pk == request.user.pk or device_of(row) is None:
            return ()
        return (
            RowAction(
                "remove-second-factor",
                "Remove the second factor",
                "phonelink_erase",
                _remove_second_factor,
                "The second factor is removed; the user's logins have ended.",
                "danger",
            ),
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _remove_second_factor(row: User) -> None:
    enrolment.remove(by=row)


def _on_platform() -> bool:
    scope = current_scope()
    return scope is not None and scope.practice_id is None
