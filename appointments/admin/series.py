"""Visits that repeat, booked and ended by the services that the API uses."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from accounts.models import ProviderProfile
from appointments.admin.appointment import HIDDEN, local_time, sees, status_name
from appointments.admin.forms import CancelForm, WallClockField, days_in_the_way
from appointments.models import Appointment, AppointmentSeries
from appointments.recurrence import MOST, Recurrence
from appointments.services import series as services
from config.api.problem import Problem
from patients.models import Patient
from patients.signals import patient_data_read
from practices.admin.base import ReadOnlyInline, TenantAdmin
from practices.admin.forms import TenantForm
from practices.admin.row_actions import RowAction, RowActionForm
from practices.models import Location
from practices.tenancy import current_actor

REPEATS = (
    ("FREQ=DAILY", "Every day"),
    ("FREQ=WEEKLY", "Every week"),
    ("FREQ=WEEKLY;INTERVAL=2", "Every 2 weeks"),
    ("FREQ=WEEKLY;INTERVAL=3", "Every 3 weeks"),
    ("FREQ=WEEKLY;INTERVAL=4", "Every 4 weeks"),
    ("FREQ=MONTHLY", "Every month on this day"),
)
ON_CONFLICT = (("refuse", "Book nothing"), ("skip", "Leave those days out"))


class SeriesBookingForm(TenantForm):
    """The service checks a series; as a row it is complete only afterwards."""

    start = WallClockField(label="First visit")
    repeats = forms.ChoiceField(choices=REPEATS, initial="FREQ=WEEKLY", widget=UnfoldAdminSelectWidget)
    visits = forms.IntegerField(min_value=2, max_value=MOST, widget=UnfoldAdminIntegerFieldWidget)
    on_conflict = forms.ChoiceField(
        label="If some days are taken", choices=ON_CONFLICT, initial="refuse", widget=UnfoldAdminSelectWidget
    )
    notes = forms.CharField(required=False, max_length=10_000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}))

    class Meta:
        model = AppointmentSeries
        fields = ("patient", "appointment_type", "provider", "location")

    def _post_clean(self) -> None:
        """Django would make and validate a row here."""

    def explain(self, problem: Problem) -> list[Any]:
        return days_in_the_way(problem)


class VisitChoiceField(forms.ModelChoiceField):  # type: ignore[type-arg]  # of Appointment
    def label_from_instance(self, obj: Appointment) -> str:
        return local_time(obj)


class FromVisitForm(RowActionForm):
    """Asks which of the visits to come are meant: the chosen one and all behind it, or just all."""

    appointment = VisitChoiceField(
        Appointment.objects.none(),
        label="From",
        required=False,
        empty_label="The next visit on",
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, row: AppointmentSeries, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        visits: Any = self.fields["appointment"]
        visits.queryset = Appointment.objects.filter(series=row, start__gt=timezone.now()).order_by("start", "id")


class SeriesCancelForm(FromVisitForm, CancelForm):
    """Its fields, and from which visit on."""


class SeriesMoveForm(FromVisitForm):
    start = WallClockField(label="New start of the first of these", required=False)
    provider = forms.ModelChoiceField(
        ProviderProfile.objects.filter(active=True), required=False, widget=UnfoldAdminSelectWidget
    )
    location = forms.ModelChoiceField(
        Location.objects.filter(active=True), required=False, widget=UnfoldAdminSelectWidget
    )
    on_conflict = forms.ChoiceField(
        label="If some days are taken",
        choices=(("refuse", "Move nothing"), ("skip", "Leave those visits where they are")),
        widget=UnfoldAdminSelectWidget,
    )

    def clean(self) -> Any:
        cleaned = super().clean()
        if not self.errors and not any(self.cleaned_data.get(name) for name in ("start", "provider", "location")):
            self.add_error(None, "Say what is to be changed.")
        return cleaned

    def explain(self, problem: Problem) -> list[Any]:
        return days_in_the_way(problem)


class OccurrenceInline(ReadOnlyInline):
    model = Appointment
    verbose_name_plural = "Visits"
    fields = ("series_index", "when", "provider", "show_status", "detached")
    readonly_fields = fields
    ordering = ("start", "id")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("provider")

    @admin.display(description="When")
    def when(self, row: Appointment) -> str:
        url = reverse("admin:appointments_appointment_change", args=[row.pk])
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, local_time(row))

    @admin.display(description="Status")
    def show_status(self, row: Appointment) -> str:
        return status_name(row.status)


@admin.register(AppointmentSeries)
class AppointmentSeriesAdmin(TenantAdmin):
    """Booked by adding one, moved and ended by the buttons above; single visits on their own pages."""

    list_display = ("first", "rule", "patient_name", "appointment_type", "provider", "location")
    list_filter = ("provider", "appointment_type", "location")
    link_filters = ("patient",)
    list_select_related = ("patient", "appointment_type", "provider", "location")
    sortable_by = ()
    ordering = ("-created_at", "-id")
    autocomplete_fields = ("patient",)
    inlines = (OccurrenceInline,)
    fields = (("first", "rule"), ("patient_name", "appointment_type"), ("provider", "location"), "left_out")
    readonly_fields = ("first", "rule", "patient_name", "appointment_type", "provider", "location", "left_out")
    add_fieldsets = (
        (None, {"fields": ("patient", ("appointment_type", "provider"), "location", "start")}),
        ("Repeats", {"fields": (("repeats", "visits"), "on_conflict", "notes")}),
    )

    # --- Reading --------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> Any:
        """Asked by patient it says nothing of one whom the actor may not know."""
        rows = super().get_queryset(request).select_related(*self.list_select_related)
        if any(name.startswith("patient") for name in request.GET):
            rows = rows.filter(patient__in=Patient.objects.visible_to(current_actor()))
        return rows

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        hidden = isinstance(obj, AppointmentSeries) and not sees(obj.patient)
        return not hidden and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Its visits are cancelled, never deleted."""
        return False

    def record_read(self, request: HttpRequest, rows: Iterable[AppointmentSeries]) -> None:
        if ids := [row.patient_id for row in rows if sees(row.patient)]:
            patient_data_read.send(AppointmentSeries, patient_ids=ids)

    def describe(self, row: AppointmentSeries) -> str:
        return f"{self.rule(row)} from {self.first(row)} · {self.patient_name(row)} · {row.appointment_type}"

    @admin.display(description="First visit")
    def first(self, row: AppointmentSeries) -> str:
        return f"{row.start_date} {row.start_time:%H:%M}"

    @admin.display(description="Repeats")
    def rule(self, row: AppointmentSeries) -> str:
        return next((name for rule, name in REPEATS if row.rrule.startswith(f"{rule};COUNT")), row.rrule)

    @admin.display(description="Patient")
    def patient_name(self, row: AppointmentSeries) -> str:
        return str(row.patient) if sees(row.patient) else HIDDEN

    @admin.display(description="Days without a visit")
    def left_out(self, row: AppointmentSeries) -> str:
        return ", ".join(map(str, row.exdates)) or "-"

    def get_fieldsets(self, request: HttpRequest, obj: AppointmentSeries | None = None) -> Any:
        return self.add_fieldsets if obj is None else super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: AppointmentSeries | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def get_inlines(self, request: HttpRequest, obj: AppointmentSeries | None) -> Any:
        return self.inlines if obj else ()

    # --- Writing --------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs |= {"form": SeriesBookingForm, "fields": SeriesBookingForm.Meta.fields}
        return super().get_form(request, obj, change=change, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in {"appointment_type", "provider", "location"}:
            kwargs["queryset"] = db_field.related_model.objects.filter(active=True)
        if db_field.name == "patient":
            kwargs["queryset"] = Patient.objects.visible_to(current_actor())
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        field.widget.can_add_related = field.widget.can_change_related = field.widget.can_view_related = False
        return field

    def store(self, request: HttpRequest, obj: AppointmentSeries, form: Any, *, change: bool) -> None:
        if change:
            return
        wish = form.answers()
        rule, on_conflict = f"{wish.pop('repeats')};COUNT={wish.pop('visits')}", wish.pop("on_conflict")
        booking = services.SeriesBooking(**wish, rrule=Recurrence.parse(rule))
        booked = services.book_series(booking, by=current_actor(), on_conflict=on_conflict)
        obj.pk, obj._state.adding = booked.pk, False
        obj.refresh_from_db()

    def get_row_actions(self, request: HttpRequest, row: AppointmentSeries) -> Sequence[RowAction]:
        return list(_actions()) if self.has_change_permission(request, row) else ()


def _actions() -> Iterator[RowAction]:
    yield RowAction("move", "Reschedule", "update", _move, "The visits were moved.", form=SeriesMoveForm)
    yield RowAction(
        "cancel",
        "Cancel series",
        "event_busy",
        _cancel,
        "The visits were cancelled.",
        "danger",
        SeriesCancelForm,
    )


def _cancel(row: AppointmentSeries, *, appointment: Appointment | None, **answers: Any) -> None:
    services.cancel_series(row, _scope(appointment), appointment=appointment, by=current_actor(), **answers)


def _move(row: AppointmentSeries, *, appointment: Appointment | None, on_conflict: str, **answers: Any) -> None:
    move = services.SeriesMove(**{name: value for name, value in answers.items() if value})
    services.reschedule_series(
        row, _scope(appointment), move, appointment=appointment, by=current_actor(), on_conflict=on_conflict
    )


def _scope(appointment: Appointment | None) -> services.Scope:
    return services.Scope.ALL if appointment is None else services.Scope.FOLLOWING
