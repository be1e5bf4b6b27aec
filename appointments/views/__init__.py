from appointments.views.appointment import AppointmentViewSet
from appointments.views.series import AppointmentSeriesViewSet
from appointments.views.settings import (
    AppointmentTypeViewSet,
    AvailabilityExceptionViewSet,
    AvailabilityRuleViewSet,
)

__all__ = [
    "AppointmentSeriesViewSet",
    "AppointmentTypeViewSet",
    "AppointmentViewSet",
    "AvailabilityExceptionViewSet",
    "AvailabilityRuleViewSet",
]
