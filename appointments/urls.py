from appointments import views
from config.api.routers import Router

router = Router()
router.register("appointments", views.AppointmentViewSet, "appointments")
router.register("appointment-types", views.AppointmentTypeViewSet, "appointment-types")
router.register("availability-rules", views.AvailabilityRuleViewSet, "availability-rules")
router.register("availability-exceptions", views.AvailabilityExceptionViewSet, "availability-exceptions")

urlpatterns = router.urls
