from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from appointments.models import ReminderRule, ReminderRuleType
from appointments.services import reminders
from practices.admin.base import TenantAdmin, TenantInline


class ReminderRuleTypeInline(TenantInline):
    model = ReminderRuleType
    verbose_name_plural = "Only for these visit types"
    fields = ("appointment_type",)


@admin.register(ReminderRule)
class ReminderRuleAdmin(TenantAdmin):
    list_display = ("name", "channel", "days_before", "minutes_before", "active")
    list_filter = ("channel", "active")
    search_fields = ("name",)
    fields = (("name", "channel"), ("days_before", "minutes_before"), "active")
    inlines = (ReminderRuleTypeInline,)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The rule is complete only now."""
        super().save_related(request, form, formsets, change)
        reminders.apply(form.instance)
