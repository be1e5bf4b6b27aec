from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminColorInputWidget, UnfoldAdminSelectWidget

from accounts.permissions import sees_only_own
from accounts.roles import Access, Area, allowed
from appointments.models import AppointmentType, AvailabilityException, AvailabilityRule
from appointments.services.availability import save_hours
from practices.admin.badges import badge
from practices.admin.base import TenantAdmin
from practices.models import Resource
from practices.tenancy import current_actor

KIND_COLOURS = {"closed": "warning", "extra": "success"}
WEEKDAYS = tuple(enumerate(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")))


@admin.register(AppointmentType)
class AppointmentTypeAdmin(TenantAdmin):
    list_display = ("show_name", "duration", "mode", "online", "active")
    list_filter = ("active", "mode", "online")
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": (("name", "colour"), ("mode", "max_attendees"), "required_resource_kinds")}),
        ("Minutes", {"fields": (("duration", "alignment"), ("buffer_before", "buffer_after"))}),
        ("Offer", {"fields": (("online", "active"),)}),
    )

    @admin.display(description="Name", ordering="name")
    def show_name(self, row: AppointmentType) -> str:
        return format_html('<span class="swatch" style="background:{}"></span>{}', row.colour or "#9ca3af", row.name)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "required_resource_kinds":
            return forms.MultipleChoiceField(
                choices=AppointmentType.RESOURCE_KINDS,
                required=False,
                widget=UnfoldAdminCheckboxSelectMultipleWidget,
                help_text=db_field.help_text,
            )
        if db_field.name == "colour":
            kwargs["widget"] = UnfoldAdminColorInputWidget
        return super().formfield_for_dbfield(db_field, request, **kwargs)


class OwnCalendarAdmin(TenantAdmin):
    """A provider reads and writes the hours of their own calendar, where the role table says so."""

    list_select_related = ("resource", "location")

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        if sees_only_own(Area.AVAILABILITY):
            rows = rows.filter(resource__provider__membership__user=current_actor().id)
        return rows

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "resource":
            resources = Resource.objects.filter(active=True)
            if not allowed(current_actor().roles, Area.AVAILABILITY, Access.WRITE):
                resources = resources.filter(provider__membership__user=current_actor().id)
            kwargs["queryset"] = resources
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def store(self, request: HttpRequest, obj: Any, form: Any, *, change: bool) -> None:
        save_hours(obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(Access.WRITE)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(Access.WRITE, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(Access.FULL, obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(Access.READ, obj)

    def _may(self, access: Access, obj: Any = None) -> bool:
        """Without a row: whether there may be any."""
        actor = current_actor()
        own = True
        if isinstance(obj, AvailabilityRule | AvailabilityException):
            provider = obj.resource.provider
            own = provider is not None and provider.membership.user_id == actor.id
        return allowed(actor.roles, Area.AVAILABILITY, access, own=own)


@admin.register(AvailabilityRule)
class AvailabilityRuleAdmin(OwnCalendarAdmin):
    list_display = ("resource", "show_weekday", "hours", "location", "validity")
    list_filter = ("resource", "location")
    search_fields = ("resource__name",)
    ordering = ("resource__name", "weekday", "start_time", "id")
    sortable_by = ("resource", "show_weekday")
    fieldsets = (
        (None, {"fields": (("resource", "location"), "weekday", ("start_time", "end_time"))}),
        ("Validity", {"fields": (("valid_from", "valid_to"), ("every_n_weeks", "time_zone"))}),
    )

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "weekday":
            return forms.TypedChoiceField(choices=WEEKDAYS, coerce=int, widget=UnfoldAdminSelectWidget)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @admin.display(description="Weekday", ordering="weekday")
    def show_weekday(self, row: AvailabilityRule) -> str:
        return row.get_weekday_name()

    @admin.display(description="Hours")
    def hours(self, row: AvailabilityRule) -> str:
        return f"{row.start_time:%H:%M}–{row.end_time:%H:%M}"  # noqa: RUF001  # a range of times

    @admin.display(description="Valid")
    def validity(self, row: AvailabilityRule) -> str:
        until = f" until {row.valid_to}" if row.valid_to else ""
        weeks = f", every {row.every_n_weeks} weeks" if row.every_n_weeks > 1 else ""
        return f"from {row.valid_from}{until}{weeks}"


@admin.register(AvailabilityException)
class AvailabilityExceptionAdmin(OwnCalendarAdmin):
    list_display = ("resource", "show_kind", "start_date", "end_date", "start_time", "end_time", "location", "reason")
    list_filter = ("kind", "resource", "location")
    search_fields = ("resource__name", "reason")
    fields = (
        ("resource", "kind"),
        ("start_date", "end_date"),
        ("start_time", "end_time"),
        "location",
        "reason",
    )

    @admin.display(description="Kind", ordering="kind")
    def show_kind(self, row: AvailabilityException) -> str:
        return badge(row.get_kind_display(), KIND_COLOURS[row.kind])
