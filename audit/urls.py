from audit.views import AuditEventViewSet
from config.api.routers import Router

router = Router()
router.register("audit-events", AuditEventViewSet, basename="audit-event")

urlpatterns = router.urls
