from config.api.routers import Router, under
from patients.views import ConsentViewSet, ContactPointViewSet, PatientIdentifierViewSet, PatientViewSet

router = Router()
router.register("patients", PatientViewSet, "patient")
router.register(under("patients", "patient_id", "identifiers"), PatientIdentifierViewSet, "patient-identifier")
router.register(under("patients", "patient_id", "contacts"), ContactPointViewSet, "patient-contact")
router.register(under("patients", "patient_id", "consents"), ConsentViewSet, "patient-consent")

urlpatterns = router.urls
