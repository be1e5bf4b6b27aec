from typing import Any
from uuid import UUID

from appointments.models import Appointment, AppointmentSeries, WaitlistEntry
from appointments.transitions import Status
from config.api.filters import ChoiceInFilter, FilterSet, IdFilter, UpdatedSinceFilterSet
from patients.models import Patient
from practices.tenancy import current_actor


class PatientFilter(IdFilter):
    """The visits of somebody whose chart is hidden can't be looked up either."""

    def filter(self, qs: Any, value: UUID | None) -> Any:
        if value is None:
            return qs
        return qs.filter(patient__in=Patient.objects.visible_to(current_actor()).filter(pk=value))


class AppointmentFilterSet(UpdatedSinceFilterSet):
    patient = PatientFilter()
    status__in = ChoiceInFilter(field_name="status", lookup_expr="in", choices=Status.choices)

    class Meta:
        model = Appointment
        fields = {
            "start": ["gte", "lt"],
            "provider": ["exact"],
            "location": ["exact"],
            "status": ["exact"],
            "series": ["exact"],
        }


class AppointmentSeriesFilterSet(UpdatedSinceFilterSet):
    patient = PatientFilter()

    class Meta:
        model = AppointmentSeries
        fields = {"provider": ["exact"], "location": ["exact"]}


class WaitlistFilterSet(FilterSet):
    patient = PatientFilter()
    status__in = ChoiceInFilter(field_name="status", lookup_expr="in", choices=WaitlistEntry.Status.choices)

    class Meta:
        model = WaitlistEntry
        fields = {
            "appointment_type": ["exact"],
            "provider": ["exact"],
            "location": ["exact"],
            "status": ["exact"],
        }
