"""Booking, moving and ending a visit: questions whose answers go to the services as they are."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.formats import date_format
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from accounts.models import ProviderProfile
from appointments.models import Appointment
from appointments.problems import SlotUnavailable
from config.api.problem import Problem
from practices.admin.forms import TenantForm
from practices.admin.row_actions import RowActionForm
from practices.models import CancellationReason, Location


class WallClockField(forms.SplitDateTimeField):
    """A date and a time as the location's clock shows them, which is what the services take for one without offset."""

    widget = UnfoldAdminSplitDateTimeWidget

    def compress(self, data_list: Any) -> datetime | None:
        if not data_list or not all(data_list):
            return None
        return datetime.combine(*data_list)  # naive: what a clock on the wall shows

    def prepare_value(self, value: Any) -> Any:
        return value


def suggested(problem: Problem) -> list[str]:
    """A refused time, and the nearest ones that are free."""
    reasons = [str(problem.detail)]
    if isinstance(problem, SlotUnavailable) and (free := problem.members.get("suggestions")):
        names = dict(ProviderProfile.objects.values_list("pk", "display_name"))
        times = [
            f"{date_format(each['start'].astimezone(ZoneInfo(each['time_zone'])), 'D j M, H:i')}"
            f" ({names.get(each['provider'], '')})"
            for each in free
        ]
        reasons.append(f"Free instead: {'; '.join(times)}.")
    return reasons


def days_in_the_way(problem: Problem) -> list[str]:
    """A refused series, and what is wrong with each day that can't be."""
    days = problem.members.get("occurrences", ())
    told = [
        f"{date_format(day['date'], 'D j M Y')}: {' '.join(each['detail'] for each in day['problems']) or 'taken.'}"
        for day in days
    ]
    return ["Some of the days can't be:" if told else str(problem.detail), *told]


def _first_two(field: "forms.ModelChoiceField[Any]") -> list[Any]:
    return [] if field.queryset is None else list(field.queryset[:2])


class BookingForm(TenantForm):
    """The service checks a booking; as a row it is complete only afterwards."""

    class Meta:
        model = Appointment
        fields = ("patient", "appointment_type", "provider", "location", "start", "notes", "overbook_reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("appointment_type", "location"):
            field = self.fields.get(name)
            options = _first_two(field) if isinstance(field, forms.ModelChoiceField) else []
            if field is not None and len(options) == 1:
                field.initial = options[0].pk

    def _post_clean(self) -> None:
        """Django would make and validate a row here."""

    def explain(self, problem: Problem) -> list[Any]:
        return suggested(problem)


class ReasonForm(RowActionForm):
    reason = forms.CharField(required=False, max_length=500, widget=UnfoldAdminTextInputWidget)


class CancelForm(RowActionForm):
    cancellation_reason = forms.ModelChoiceField(
        CancellationReason.objects.filter(active=True).order_by("name"),
        label="Reason",
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    note = forms.CharField(required=False, max_length=500, widget=UnfoldAdminTextInputWidget)


class RescheduleForm(RowActionForm):
    """Starts from where the visit is."""

    start = WallClockField(label="New start")
    provider = forms.ModelChoiceField(
        ProviderProfile.objects.filter(active=True), empty_label=None, widget=UnfoldAdminSelectWidget
    )
    location = forms.ModelChoiceField(
        Location.objects.filter(active=True), empty_label=None, widget=UnfoldAdminSelectWidget
    )
    overbook_reason = forms.CharField(
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text="Only to book over something else, by those who may.",
    )

    def __init__(self, *args: Any, row: Appointment, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        self.initial.update(provider=row.provider_id, location=row.location_id)
        if row.start is not None:
            self.initial["start"] = row.start.astimezone(ZoneInfo(row.time_zone)).replace(tzinfo=None)

    def explain(self, problem: Problem) -> list[Any]:
        return suggested(problem)
