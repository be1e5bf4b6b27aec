import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from accounts.admin_site import current_practice
from audit.accesses import Day, per_day
from audit.models import AuditEvent, PlatformAuditEvent
from audit.recording import record
from audit.serializers import ChangesField
from patients.models import Patient
from practices.admin.badges import badge
from practices.admin.base import ReadOnlyAdmin

ACTION_COLOURS = {
    "create": "success",
    "update": "info",
    "delete": "danger",
    "read": "default",
    "login": "primary",
    "login-failed": "warning",
    "logout": "default",
    "token-replayed": "danger",
    "denied": "warning",
    "failed": "warning",
    "export": "warning",
    "reencrypt": "default",
    "unattributed": "danger",
}

MOST_CHARTS = 3
"""Named in a line of the list; the event's page has the ids of all."""


class EventAdmin(ReadOnlyAdmin):
    list_display: tuple[str, ...] = ("at", "who", "show_action", "entity", "operation", "ip")
    list_filter = ("action",)
    link_filters: tuple[str, ...] = ("entity_id", "actor_id")
    search_fields = ("entity_id",)
    search_help_text = "The id of a row, of a patient, or of who acted"
    sortable_by = ()
    fieldsets = (
        (None, {"fields": (("at", "show_action"), ("who", "show_roles"))}),
        ("What", {"fields": (("entity", "entity_id"), "show_changes", "patient_ids")}),
        ("Request", {"fields": (("operation", "status"), ("request_id", "ip"), "reason")}),
    )
    readonly_fields = ("at", "who", "show_action", "show_roles", "show_changes")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Planned for the values asked for: see `planned_for_values`."""
        events = super().get_queryset(request)
        with connections[events.db].cursor() as cursor:
            cursor.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        return events

    @admin.display(description="Who")
    def who(self, row: Any) -> str:
        return row.actor_label or (str(row.actor_id) if row.actor_id else row.get_actor_kind_display())

    @admin.display(description="Action")
    def show_action(self, row: Any) -> str:
        return badge(row.get_action_display(), ACTION_COLOURS[row.action])

    @admin.display(description="Roles")
    def show_roles(self, row: Any) -> str:
        return ", ".join(row.roles)

    @admin.display(description="Changes")
    def show_changes(self, row: Any) -> str:
        """Field, before and after; fields whose values are not kept by their name only."""
        changes = self.readable_changes(row)
        if not changes:
            return "-"
        lines = format_html_join(
            "",
            "<tr><th>{}</th><td>{}</td><td>{}</td></tr>",
            ((name, *(pair or ("(not recorded)", "(not recorded)"))) for name, pair in changes.items()),
        )
        return format_html(
            '<table class="changes"><tr><th>Field</th><th>Before</th><th>After</th></tr>{}</table>', lines
        )

    def readable_changes(self, row: Any) -> Any:
        return row.changes

    def record_read(self, request: HttpRequest, rows: Iterable[Any]) -> None:
        """Reading the log leaves an event, too."""
        record(AuditEvent.Action.READ, self.model._meta.label_lower)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if not search_term.strip():
            return queryset, False
        try:
            wanted = UUID(search_term.strip())
        except ValueError:
            return queryset.none(), False
        return self._naming(queryset, wanted), False

    def _naming(self, events: Any, wanted: UUID) -> Any:
        """One indexed column after the other: OR over them would read the whole log."""
        for found in (events.filter(entity_id=wanted), events.filter(actor_id=wanted)):
            if found.exists():
                return found
        return events.none()


@admin.register(AuditEvent)
class AuditEventAdmin(EventAdmin):
    list_display = (*EventAdmin.list_display[:4], "charts", *EventAdmin.list_display[4:])
    link_filters = (*EventAdmin.link_filters, "at")
    list_per_page = 100
    fieldsets: Any = (
        *EventAdmin.fieldsets[:1],
        ("What", {"fields": (("entity", "entity_id"), "show_changes", "patient_ids", "access_grants")}),
        *EventAdmin.fieldsets[2:],
    )

    def readable_changes(self, row: Any) -> Any:
        return ChangesField().from_object(row)

    def prepare(self, rows: Sequence[AuditEvent]) -> None:
        """Numbers of the charts, no names: who reads the log need not be somebody who sees the chart."""
        shown = {patient for row in rows for patient in row.patient_ids[:MOST_CHARTS]}
        numbers = dict(Patient.objects.filter(pk__in=shown).values_list("pk", "mrn"))
        for row in rows:
            row.chart_numbers = [  # type: ignore[attr-defined]  # read by charts
                numbers.get(patient, "(gone)") for patient in row.patient_ids[:MOST_CHARTS]
            ]

    @admin.display(description="Charts")
    def charts(self, row: Any) -> str:
        more = len(row.patient_ids) - MOST_CHARTS
        return ", ".join(row.chart_numbers) + (f" and {more} more" if more > 0 else "")

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.accesses)
        return [path("accesses/", page, name="audit_auditevent_accesses"), *super().get_urls()]

    def accesses(self, request: HttpRequest) -> HttpResponse:
        """How many events there were on each of the last days."""
        practice = current_practice(request)
        if practice is None or not self.has_view_permission(request):
            raise PermissionDenied
        zone = ZoneInfo(practice.time_zone)
        days = per_day(timezone.localdate(timezone=zone), zone)
        self.record_read(request, ())
        context = {
            **self.admin_site.each_context(request),
            "title": "Accesses per day",
            "days": days,
            "zone": zone.key,
            "chart": _chart(days),
        }
        return TemplateResponse(request, "admin/accesses.html", context)

    def _naming(self, events: Any, wanted: UUID) -> Any:
        about = events.about_patient(wanted)
        return about if about.exists() else super()._naming(events, wanted)


def _chart(days: Sequence[Day]) -> str:
    """What unfold's bar chart takes."""
    bars = (
        ("Reads", [day.reads for day in days], "var(--color-primary-600)"),
        ("Changes", [day.changes for day in days], "var(--color-primary-300)"),
        ("Refusals", [day.refusals for day in days], "#dc2626"),
    )
    datasets = [{"label": label, "data": data, "backgroundColor": colour} for label, data, colour in bars]
    return json.dumps({"labels": [f"{day.date:%-d %b}" for day in days], "datasets": datasets})


@admin.register(PlatformAuditEvent)
class PlatformAuditEventAdmin(EventAdmin):
    """What happened outside any practice."""
