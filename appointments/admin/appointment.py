from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.permissions import may
from accounts.roles import Access, Area
from appointments import services
from appointments.admin.forms import BookingForm, CancelForm, ReasonForm, RescheduleForm, WallClockField
from appointments.models import Appointment, ResourceAllocation, StatusEvent
from appointments.services import rules
from appointments.transitions import MOVABLE, Action, Status, need
from patients.admin import break_glass
from patients.lookup import find_patients
from patients.models import Patient
from patients.signals import patient_data_read
from practices.admin.badges import badge
from practices.admin.base import ReadOnlyInline, TenantAdmin
from practices.admin.forms import TenantForm
from practices.admin.row_actions import RowAction
from practices.tenancy import current_actor

STATUS_COLOURS = {
    "proposed": "info",
    "pending": "warning",
    "booked": "info",
    "arrived": "primary",
    "checked-in": "primary",
    "fulfilled": "success",
    "cancelled": "default",
    "noshow": "danger",
    "entered-in-error": "default",
    "waitlist": "warning",
}
STATUS_NAMES = {Status.NO_SHOW: "No-show", Status.CHECKED_IN: "Checked in", Status.FULFILLED: "Completed"}
HIDDEN = "Restricted patient"
STEPS: tuple[tuple[Action, str, str, str], ...] = (
    # action, what the button says, icon, variant
    (Action.CONFIRM, "Confirm", "event_available", "default"),
    (Action.ARRIVE, "Arrived", "login", "primary"),
    (Action.CHECK_IN, "Check in", "how_to_reg", "primary"),
    (Action.FULFILL, "Complete", "task_alt", "primary"),
    (Action.NO_SHOW, "No-show", "person_off", "default"),
    (Action.UNDO, "Undo", "undo", "default"),
    (Action.CANCEL, "Cancel visit", "event_busy", "danger"),
    (Action.ENTER_IN_ERROR, "Entered in error", "error", "default"),
)
ASKED = {Action.CANCEL: CancelForm, Action.ENTER_IN_ERROR: ReasonForm}


def status_name(status: str) -> str:
    return STATUS_NAMES.get(Status(status), Status(status).label)


def sees(patient: Patient) -> bool:
    """Whether the actor may know who it is; the visit's time is no secret."""
    return patient.visible_to(current_actor())


def local_time(row: Appointment) -> str:
    """On the wall clock of where it takes place."""
    if row.start is None or row.end is None:
        return "No time yet"
    zone = ZoneInfo(row.time_zone)
    return f"{date_format(row.start.astimezone(zone), 'D j M Y, H:i')}–{row.end.astimezone(zone):%H:%M}"  # noqa: RUF001  # a range


class WhenFilter(admin.SimpleListFilter):
    """Today and later unless asked otherwise; a search, or one patient's visits, is through all times."""

    title = "when"
    parameter_name = "when"
    DAYS: ClassVar[dict[str, tuple[int | None, int | None]]] = {
        "today": (0, 1),
        "tomorrow": (1, 2),
        "week": (0, 7),
        "past": (None, 0),
        "all": (None, None),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.through_all_times = bool(request.GET.get("q") or any(key.startswith("patient") for key in request.GET))
        return [
            ("today", "Today"),
            ("tomorrow", "Tomorrow"),
            ("week", "Next 7 days"),
            ("past", "Before today"),
            ("all", "Any time"),
        ]

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {
            "selected": self.value() is None,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": "Any time" if self.through_all_times else "From today",
        }
        for value, title in self.lookup_choices:
            yield {
                "selected": self.value() == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": title,
            }

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        default = (None, None) if self.through_all_times else (0, None)
        first, last = self.DAYS.get(self.value() or "", default)
        midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        if first is not None:
            queryset = queryset.filter(start__gte=_days_after(midnight, first))
        return queryset if last is None else queryset.filter(start__lt=_days_after(midnight, last))


def _days_after(midnight: datetime, days: int) -> datetime:
    """Midnight by the clock, however long the days between are."""
    zone = timezone.get_current_timezone()
    return (midnight.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=zone)


class AllocationInline(ReadOnlyInline):
    model = ResourceAllocation
    verbose_name_plural = "Occupied, with buffers"
    fields = ("resource", "start", "end", "blocking")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("resource")


class StatusEventInline(ReadOnlyInline):
    model = StatusEvent
    verbose_name_plural = "What happened"
    fields = ("at", "action", "from_status", "to_status", "reason", "by")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("by")


@admin.register(Appointment)
class AppointmentAdmin(TenantAdmin):
    """Visits. Booked by adding one, moved and ended by the buttons above; the form edits notes and the flow stage."""

    list_display = ("when", "patient_name", "show_type", "provider", "location", "show_status")
    list_filter = (WhenFilter, "status", "provider", "appointment_type", "location")
    link_filters = ("patient",)
    list_select_related = ("patient", "appointment_type", "provider", "location")
    search_fields = ("patient",)
    search_help_text = "Patient: beginnings of names, or a whole MRN, phone number, email address or birth date"
    sortable_by = ("when",)
    ordering = ("start", "id")
    autocomplete_fields = ("patient",)
    inlines = (StatusEventInline, AllocationInline)
    readonly_fields = (
        "when",
        "patient_link",
        "show_type",
        "provider",
        "location",
        "show_status",
        "cancellation_reason",
        "late_cancel",
        "left_unseen",
        "overbook_reason",
    )
    add_fieldsets = (
        (None, {"fields": ("patient", ("appointment_type", "provider"), "location", "start", "notes")}),
        ("Overbooking", {"fields": ("overbook_reason",)}),
    )

    # --- Reading --------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> Any:
        """Asked by patient it says nothing of one whom the actor may not know."""
        rows = super().get_queryset(request).select_related(*self.list_select_related, "provider__membership")
        if any(name.startswith("patient") for name in request.GET):
            rows = rows.filter(patient__in=Patient.objects.visible_to(current_actor()))
        return rows

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        hidden = isinstance(obj, Appointment) and not sees(obj.patient)
        return not hidden and super().has_change_permission(request, obj)

    def record_read(self, request: HttpRequest, rows: Iterable[Appointment]) -> None:
        if ids := [row.patient_id for row in rows if sees(row.patient)]:
            patient_data_read.send(Appointment, patient_ids=ids)

    def describe(self, row: Appointment) -> str:
        return f"{local_time(row)} · {self.patient_name(row)} · {row.appointment_type} with {row.provider}"

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if not search_term.strip():
            return queryset, False
        patients = find_patients(Patient.objects.visible_to(current_actor()), search_term)
        return queryset.filter(patient__in=patients.order_by().values("pk")), False

    @admin.display(description="When", ordering="start")
    def when(self, row: Appointment) -> str:
        return format_html('<span class="times">{}</span>', local_time(row))

    @admin.display(description="Patient")
    def patient_name(self, row: Appointment) -> str:
        return str(row.patient) if sees(row.patient) else HIDDEN

    @admin.display(description="Patient")
    def patient_link(self, row: Appointment) -> str:
        if not sees(row.patient):
            return HIDDEN
        url = reverse("admin:patients_patient_change", args=[row.patient_id])
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, row.patient)

    @admin.display(description="Type")
    def show_type(self, row: Appointment) -> str:
        kind = row.appointment_type
        return format_html('<span class="swatch" style="background:{}"></span>{}', kind.colour or "#9ca3af", kind.name)

    @admin.display(description="Status")
    def show_status(self, row: Appointment) -> str:
        return badge(status_name(row.status), STATUS_COLOURS[row.status])

    def get_fieldsets(self, request: HttpRequest, obj: Appointment | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets if _may_overbook() else self.add_fieldsets[:1]
        ended = [("cancellation_reason", "late_cancel", "left_unseen")] if obj.status == Status.CANCELLED else []
        over = [("overbook_reason",)] if obj.overbook_reason else []
        place = (("when", "show_status"), ("patient_link", "show_type"), ("provider", "location"), *ended, *over)
        readable = sees(obj.patient) and may(Area.BOOKING_NOTES, Access.READ)
        notes = ("flow_stage", "notes") if readable else ("flow_stage",)
        return ((None, {"fields": place}), ("Visit", {"fields": notes}))

    def get_readonly_fields(self, request: HttpRequest, obj: Appointment | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Appointment | None) -> Any:
        return self.inlines if obj else ()

    # --- Writing --------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs.setdefault("form", TenantForm if obj else BookingForm)
        return super().get_form(request, obj, change=change, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "start":
            return WallClockField(label="Start")
        if db_field.name == "notes":
            kwargs["widget"] = UnfoldAdminTextareaWidget(attrs={"rows": 5})
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "overbook_reason":
            field.help_text = "Only to book over something else."
        if isinstance(db_field, models.ForeignKey):
            field.widget.can_add_related = field.widget.can_change_related = field.widget.can_view_related = False
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in {"appointment_type", "provider", "location"}:
            kwargs["queryset"] = db_field.related_model.objects.filter(active=True)
        if db_field.name == "patient":
            kwargs["queryset"] = Patient.objects.visible_to(current_actor())
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "provider":
            field.required, field.empty_label = False, "Anyone who is free"
        return field

    def store(self, request: HttpRequest, obj: Appointment, form: Any, *, change: bool) -> None:
        if change:
            obj.save(update_fields=list(form.changes()))
            return
        wish = {name: value for name, value in form.answers().items() if value}
        booked = services.book_for(wish, any_provider="provider" not in wish, by=current_actor())
        obj.pk, obj._state.adding = booked.pk, False
        obj.refresh_from_db()

    def get_row_links(self, request: HttpRequest, row: Appointment) -> Sequence[tuple[str, str, str]]:
        if sees(row.patient) or not break_glass.may():
            return ()
        url = f"{reverse('admin:patients_patient_break_glass')}?patient={row.patient_id}"
        return (("Open the restricted chart", "emergency", url),)

    def get_row_actions(self, request: HttpRequest, row: Appointment) -> Sequence[RowAction]:
        if not self.has_change_permission(request, row):
            return ()
        return [*_steps(row), *_moves(row)]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Visits are cancelled or entered in error, never deleted."""
        return False


def _steps(row: Appointment) -> Iterator[RowAction]:
    possible = row.allowed_transitions(timezone.now())
    for action, label, icon, variant in STEPS:
        if action in possible and _may(row, action):
            run = _cancel if action == Action.CANCEL else partial(_change, action)
            done = f"{label}: done."
            yield RowAction(action.value, label, icon, run, done, variant, ASKED.get(action))


def _moves(row: Appointment) -> Iterator[RowAction]:
    if row.status in MOVABLE and not row.hold_expired(timezone.now()):
        yield RowAction("reschedule", "Reschedule", "update", _move, "The visit was moved.", form=RescheduleForm)


def _may(row: Appointment, action: Action) -> bool:
    needed, by = need(Status(row.status), action), current_actor()
    return rules.may(by, needed.area, access=needed.access, own=rules.is_own(row.provider, by))


def _change(action: Action, row: Appointment, *, reason: str = "") -> None:
    services.change_status(row, action, by=current_actor(), reason=reason)


def _cancel(row: Appointment, **answers: Any) -> None:
    services.cancel(row, by=current_actor(), **answers)


def _move(row: Appointment, **answers: Any) -> None:
    services.move(row, services.Move(**answers), by=current_actor())


def _may_overbook() -> bool:
    return rules.may(current_actor(), Area.OVERBOOK, own=True)
