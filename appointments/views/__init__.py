from appointments.views.appointment import AppointmentViewSet
from appointments.views.settings import (
    AppointmentTypeViewSet,
    AvailabilityExceptionViewSet,
    AvailabilityRuleViewSet,
)

__all__ = [
    "AppointmentTypeViewSet",
    "AppointmentViewSet",
    "AvailabilityExceptionViewSet",
    "AvailabilityRuleViewSet",
]
