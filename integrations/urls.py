from django.urls import include, path

from config.api.routers import Router, under
from integrations.documents.views import DocumentViewSet, UploadView
from integrations.messages.views import MessageTemplateViewSet, MessageViewSet

router = Router()
router.register("messages", MessageViewSet, basename="message")
router.register("message-templates", MessageTemplateViewSet, basename="message-template")
router.register(under("patients", "patient_id", "documents"), DocumentViewSet, basename="patient-document")

urlpatterns = [
    path("", include("integrations.events.urls")),
    path("documents/uploads", UploadView.as_view(), name="document-upload"),
    *router.urls,
]
