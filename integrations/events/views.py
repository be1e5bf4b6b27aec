from typing import Any, ClassVar, cast

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens import AccessClaims
from config.api.problem import ParameterProblem
from config.api.serializers import NoBody
from config.api.views import APIView, ListMixin
from integrations.events import tickets
from integrations.events.querysets import EventLogQuerySet
from integrations.events.serializers import EventSerializer, WebSocketTicketSerializer
from integrations.models import EventLog
from practices.tenancy import ANONYMOUS, current_scope

MAX_SEQ = 2**63 - 1
AFTER = OpenApiParameter(
    "after",
    {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_SEQ},
    description="The `seq` of the last event you know; without it, from the first on.",
)


class EventViewSet(ListMixin[EventLog]):
    """What changed in the practice, in the order of its commits; the same events as on the WebSocket."""

    queryset = EventLog.objects.all()
    serializer_class = EventSerializer
    permission_classes = (IsAuthenticated,)
    accepts_api_keys = True
    query_parameters = ("after",)
    filter_backends = ()

    @extend_schema(operation_id="events_list", parameters=[AFTER])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Events of kinds that the caller may not read are left out."""
        return super().list(request, *args, **kwargs)

    def get_queryset(self) -> EventLogQuerySet:
        scope = current_scope()
        heard: EventLogQuerySet = EventLog.objects.heard_by(scope.actor if scope is not None else ANONYMOUS)
        return heard.filter(seq__gt=self._after())

    def _after(self) -> int:
        text = self.request.query_params.get("after", "0")
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_SEQ)) and int(text) <= MAX_SEQ):
            raise ParameterProblem.of("after", "invalid", "Give the number of an event.")
        return int(text)


class WebSocketTicketView(APIView):
    """A ticket for opening one WebSocket connection; a URL would carry the access token into logs."""

    permission_classes = (IsAuthenticated,)
    serializer_class: ClassVar[type[NoBody]] = NoBody
    idempotent = False

    @extend_schema(operation_id="auth_websocket_ticket", request=None, responses={201: WebSocketTicketSerializer})
    def post(self, request: Request) -> Response:
        claims = cast(AccessClaims, request.auth)
        ticket = tickets.issue(user_id=claims.user_id, session_id=claims.session_id)
        return Response({"ticket": ticket, "expires_in": int(tickets.LIFETIME.total_seconds())}, status=201)
