"""Inviting people into the practice, and accepting."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts import invitations
from accounts.authentication import UnscopedTokenAuthentication
from accounts.models import Invitation, User
from accounts.roles import Access, Area
from accounts.serializers.invitations import (
    AcceptanceRequest,
    AcceptanceResponse,
    InvitationRequest,
    InvitationSerializer,
)
from accounts.views.tokens import origin_of
from config.api.serializers import NoBody
from config.api.views import APIView, CreateMixin, ListMixin, RetrieveMixin
from practices.bound_secrets import digest
from practices.tenancy import current_actor


class InvitationViewSet(ListMixin[Invitation], RetrieveMixin[Invitation], CreateMixin[Invitation]):
    """By mail, for one address and one use. The answer is the same whether or not the address has a login here."""

    queryset = Invitation.objects.select_related("invited_by")
    serializer_class = InvitationRequest
    read_serializer_class = InvitationSerializer
    filterset_fields = {"email": ["exact"]}
    ordering = ("-created_at",)
    ordering_fields = ("created_at", "expires_at")
    action_access = {"revoke": (Area.MEMBERS, Access.WRITE), "resend": (Area.MEMBERS, Access.WRITE)}

    def perform_create(self, serializer: BaseSerializer[Invitation]) -> Invitation:
        return invitations.invite(by=current_actor(), **serializer.validated_data)

    @extend_schema(request=None, responses=InvitationSerializer)
    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def revoke(self, request: Request, pk: str) -> Response:
        self.get_object()
        return self.object_response(invitations.revoke(invitation=UUID(pk), by=current_actor()))

    @extend_schema(request=None, responses=InvitationSerializer)
    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def resend(self, request: Request, pk: str) -> Response:
        """A new link for the whole time again; the old one is dead."""
        self.get_object()
        return self.object_response(invitations.resend(invitation=UUID(pk), by=current_actor()))


class AcceptInvitationView(APIView):
    """Become a member. Whose address has a login already gives that login's password, or is logged in with it."""

    authentication_classes = (UnscopedTokenAuthentication,)
    permission_classes = (AllowAny,)
    serializer_class = AcceptanceRequest
    auth_limited = True
    idempotent = False

    def get_limited_account(self, request: Request) -> str | None:
        """The invitation: guesses at one password from many addresses are counted together."""
        token = request.data.get("token") if isinstance(request.data, dict) else None
        return f"invitation:{digest(token)}" if isinstance(token, str) else None

    @extend_schema(
        operation_id="auth_invitations_accept", request=AcceptanceRequest, responses=AcceptanceResponse, auth=[]
    )
    def post(self, request: Request) -> Response:
        serializer = AcceptanceRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        caller = request.user if isinstance(request.user, User) else None
        acceptance = invitations.Acceptance(**serializer.validated_data, caller=caller)
        membership = invitations.accept(acceptance, origin=origin_of(request._request))
        return Response(AcceptanceResponse({"email": membership.user.email, "practice": membership.practice}).data)
