from django.urls import include, path

from config.api.routers import Router
from integrations.messages.views import MessageTemplateViewSet, MessageViewSet

router = Router()
router.register("messages", MessageViewSet, basename="message")
router.register("message-templates", MessageTemplateViewSet, basename="message-template")

urlpatterns = [
    path("", include("integrations.events.urls")),
    *router.urls,
]
