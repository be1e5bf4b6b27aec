from appointments.models.allocation import ResourceAllocation
from appointments.models.appointment import Appointment
from appointments.models.availability import AvailabilityException, AvailabilityRule
from appointments.models.group_visit import GroupVisit
from appointments.models.reminder import Reminder, ReminderRule, ReminderRuleType
from appointments.models.series import AppointmentSeries
from appointments.models.status_event import StatusEvent
from appointments.models.visit_type import AppointmentType
from appointments.models.waitlist import WaitlistEntry, WaitlistOffer, WaitlistWindow

__all__ = [
    "Appointment",
    "AppointmentSeries",
    "AppointmentType",
    "AvailabilityException",
    "AvailabilityRule",
    "GroupVisit",
    "Reminder",
    "ReminderRule",
    "ReminderRuleType",
    "ResourceAllocation",
    "StatusEvent",
    "WaitlistEntry",
    "WaitlistOffer",
    "WaitlistWindow",
]
