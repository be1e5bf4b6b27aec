from appointments.models import Appointment
from appointments.transitions import Status
from config.api.filters import ChoiceInFilter, UpdatedSinceFilterSet


class AppointmentFilterSet(UpdatedSinceFilterSet):
    status__in = ChoiceInFilter(field_name="status", lookup_expr="in", choices=Status.choices)

    class Meta:
        model = Appointment
        fields = {
            "start": ["gte", "lt"],
            "provider": ["exact"],
            "patient": ["exact"],
            "location": ["exact"],
            "status": ["exact"],
        }
