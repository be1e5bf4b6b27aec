from appointments.serializers.appointment import (
    AppointmentPatchSerializer,
    AppointmentSerializer,
    BookingSerializer,
    CancelSerializer,
    PlaceSerializer,
    ReasonSerializer,
    RescheduleSerializer,
    StatusEventSerializer,
)
from appointments.serializers.settings import (
    AppointmentTypeSerializer,
    AvailabilityExceptionSerializer,
    AvailabilityRuleSerializer,
)

__all__ = [
    "AppointmentPatchSerializer",
    "AppointmentSerializer",
    "AppointmentTypeSerializer",
    "AvailabilityExceptionSerializer",
    "AvailabilityRuleSerializer",
    "BookingSerializer",
    "CancelSerializer",
    "PlaceSerializer",
    "ReasonSerializer",
    "RescheduleSerializer",
    "StatusEventSerializer",
]
