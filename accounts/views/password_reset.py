"""Forgotten passwords. These paths run outside any scope (settings.UNSCOPED_PATHS)."""

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.password_reset import WrongLink, request_reset, reset_password
from accounts.serializers.auth import PasswordResetConfirmRequest, PasswordResetRequest
from accounts.views.me import weak_password
from accounts.views.tokens import origin_of
from config.api.problem import FieldError, ValidationProblem
from config.api.views import APIView


class PasswordResetView(APIView):
    """Have a link mailed with which to choose a new password. The answer is the same for an address nobody has."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = PasswordResetRequest
    auth_limited = True
    idempotent = False

    @extend_schema(operation_id="auth_password_reset", request=PasswordResetRequest, responses={204: None}, auth=[])
    def post(self, request: Request) -> Response:
        serializer = PasswordResetRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        request_reset(email=serializer.validated_data["email"])
        return Response(status=204)


class PasswordResetConfirmView(APIView):
    """Choose a new password with the token of a mailed link, good once within 30 minutes. All logins end."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = PasswordResetConfirmRequest
    auth_limited = True
    idempotent = False

    @extend_schema(
        operation_id="auth_password_reset_confirm",
        request=PasswordResetConfirmRequest,
        responses={204: None},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        serializer = PasswordResetConfirmRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        try:
            reset_password(token=body["token"], password=body["new_password"], origin=origin_of(request._request))
        except WrongLink as exc:
            error = FieldError("/token", "invalid_token", "This link was used, or is too old; ask for another.")
            raise ValidationProblem.of([error]) from exc
        except ValidationError as exc:
            raise weak_password(exc) from exc
        return Response(status=204)
