from django.urls import include, path, re_path

from config.api.routers import UUID_PATTERN, Router, under
from integrations.documents.views import DocumentViewSet, UploadView
from integrations.exports.views import ExportOfPatientView, PatientExportViewSet
from integrations.imports.views import ImportErrorViewSet, ImportUploadView, ImportViewSet
from integrations.messages.views import MessageTemplateViewSet, MessageViewSet

router = Router()
router.register("messages", MessageViewSet, basename="message")
router.register("message-templates", MessageTemplateViewSet, basename="message-template")
router.register(under("patients", "patient_id", "documents"), DocumentViewSet, basename="patient-document")
router.register("patient-exports", PatientExportViewSet, basename="patient-export")
router.register("imports", ImportViewSet, basename="import")
router.register("import-errors", ImportErrorViewSet, basename="import-error")

urlpatterns = [
    path("", include("integrations.events.urls")),
    path("documents/uploads", UploadView.as_view(), name="document-upload"),
    re_path(
        f"^patients/(?P<patient_id>{UUID_PATTERN})/export$", ExportOfPatientView.as_view(), name="export-of-patient"
    ),
    path("imports/uploads", ImportUploadView.as_view(), name="import-upload"),
    *router.urls,
]
