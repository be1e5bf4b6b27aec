from django.urls import path

from appointments import views
from appointments.views.day import DayView
from appointments.views.free_times import FreeTimesView, NextFreeTimesView
from appointments.views.reminders import ReminderRuleViewSet
from appointments.views.waitlist import WaitlistViewSet
from config.api.routers import Router

router = Router()
router.register("appointments", views.AppointmentViewSet, "appointments")
router.register("appointment-series", views.AppointmentSeriesViewSet, "appointment-series")
router.register("appointment-types", views.AppointmentTypeViewSet, "appointment-types")
router.register("availability-rules", views.AvailabilityRuleViewSet, "availability-rules")
router.register("availability-exceptions", views.AvailabilityExceptionViewSet, "availability-exceptions")
router.register("waitlist", WaitlistViewSet, "waitlist")
router.register("reminder-rules", ReminderRuleViewSet, "reminder-rules")

urlpatterns = [
    path("day", DayView.as_view(), name="day"),
    path("free-times", FreeTimesView.as_view(), name="free-times"),
    path("free-times/next", NextFreeTimesView.as_view(), name="free-times-next"),
    *router.urls,
]
