from audit.views import AccessLogViewSet, AuditEventViewSet
from config.api.routers import Router, under

router = Router()
router.register("audit-events", AuditEventViewSet, basename="audit-event")
router.register(under("patients", "patient_id", "access-log"), AccessLogViewSet, basename="access-log")

urlpatterns = router.urls
