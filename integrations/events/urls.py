from django.urls import path

from config.api.routers import Router
from integrations.events.views import EventViewSet, WebSocketTicketView

router = Router()
router.register("events", EventViewSet, basename="event")

urlpatterns = [
    path("auth/websocket-ticket", WebSocketTicketView.as_view(), name="auth-websocket-ticket"),
    *router.urls,
]
