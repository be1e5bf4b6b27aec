"""What a user sees and changes of themselves."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import refresh_cookie
from accounts.authentication import caller, session_id_of
from accounts.models import RefreshSession, User
from accounts.serializers.auth import MeSerializer, PasswordChangeRequest, SessionSerializer, TokenResponse
from accounts.sessions import change_password, log_out_everywhere, revoke_sessions
from config.api.problem import FieldError, Forbidden, ValidationProblem
from config.api.serializers import NoBody
from config.api.views import APIView, DestroyMixin, ListMixin


class MeView(APIView):
    """The caller in the practice of their token."""

    permission_classes = (IsAuthenticated,)
    before_second_factor = True
    serializer_class = MeSerializer

    @extend_schema(operation_id="auth_me_retrieve", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(caller(request)).data)

    @extend_schema(operation_id="auth_me_update", request=MeSerializer, responses=MeSerializer)
    def patch(self, request: Request) -> Response:
        user = User.objects.select_for_update().get(pk=caller(request).pk)
        serializer = MeSerializer(user, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)


class LogoutAllView(APIView):
    """End every session of the caller, in every practice."""

    permission_classes = (IsAuthenticated,)
    before_second_factor = True
    serializer_class = NoBody
    idempotent = False

    @extend_schema(operation_id="auth_logout_all", request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        log_out_everywhere(by=caller(request))
        return Response(status=204)


class PasswordChangeView(APIView):
    """Change the password. All other sessions end, in every practice; this one goes on with the answer's tokens."""

    permission_classes = (IsAuthenticated,)
    before_second_factor = True
    serializer_class = PasswordChangeRequest
    auth_limited = True
    idempotent = False

    def get_limited_account(self, request: Request) -> str | None:
        return request.user.email if request.user and request.user.is_authenticated else None

    @extend_schema(operation_id="auth_password_change", request=PasswordChangeRequest, responses={200: TokenResponse})
    def post(self, request: Request) -> Response:
        serializer = PasswordChangeRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        user = User.objects.select_for_update().get(pk=caller(request).pk)
        if not user.check_password(body["current_password"]):
            error = FieldError("/current_password", "invalid_credentials", "This is not your password.")
            raise Forbidden("This is not your password.", code="invalid_credentials", errors=[error])
        try:
            validate_password(body["new_password"], user)
        except ValidationError as exc:
            raise weak_password(exc) from exc
        login = change_password(by=user, password=body["new_password"], session_id=session_id_of(request))
        return refresh_cookie.goes_on(request, login)


def weak_password(exc: ValidationError) -> ValidationProblem:
    """What the validators have against a `new_password`."""
    return ValidationProblem.of(
        [FieldError("/new_password", error.code or "invalid", " ".join(error.messages)) for error in exc.error_list]
    )


class SessionViewSet(ListMixin[RefreshSession], DestroyMixin[RefreshSession]):
    """The caller's logins in this practice that are alive, of the API and the admin."""

    permission_classes = (IsAuthenticated,)
    before_second_factor = True
    serializer_class = SessionSerializer
    queryset = RefreshSession.objects.all()
    lock_rows = False

    def get_queryset(self) -> QuerySet[RefreshSession]:
        user = caller(self.request)
        sessions: QuerySet[RefreshSession] = RefreshSession.objects.filter(
            user_id=user.pk, revoked_at=None, token_version=user.token_version, expires_at__gt=timezone.now()
        )
        current = ExpressionWrapper(Q(pk=session_id_of(self.request)), BooleanField())
        return sessions.annotate(current=current).order_by("-created_at", "-id")

    def perform_destroy(self, instance: RefreshSession) -> None:
        revoke_sessions(user_id=instance.user_id, only=instance.pk)
