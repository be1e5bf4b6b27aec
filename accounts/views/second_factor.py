"""Setting up the second factor of one's own login. Each of these takes the password again, or a code, or both."""

from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import enrolment, refresh_cookie, second_factor
from accounts.authentication import caller, session_id_of
from accounts.models import User
from accounts.serializers.auth import TokenResponse
from accounts.serializers.second_factor import (
    CodeRequest,
    EnrolledResponse,
    EnrolmentSerializer,
    PasswordAndCodeRequest,
    PasswordRequest,
    RecoveryCodesSerializer,
    SecondFactorSerializer,
)
from accounts.sessions import Login
from accounts.views.tokens import WRONG_CODE
from config.api.problem import FieldError, Forbidden
from config.api.serializers import StrictSerializer
from config.api.views import APIView

WRONG_PASSWORD = "This is not your password."  # noqa: S105  # words for people


class OwnSecondFactorView(APIView):
    """Open to members who must enrol before anything else, and limited like logging in: here codes can be guessed."""

    permission_classes = (IsAuthenticated,)
    auth_limited = True
    idempotent = False  # secrets must not be kept for replay
    before_second_factor = True

    def get_limited_account(self, request: Request) -> str | None:
        return request.user.email if request.user and request.user.is_authenticated else None


class SecondFactorView(OwnSecondFactorView):
    """Whether logging in asks for a code, and how many recovery codes are left."""

    serializer_class = SecondFactorSerializer

    @extend_schema(operation_id="auth_mfa_retrieve", responses=SecondFactorSerializer)
    def get(self, request: Request) -> Response:
        return Response(SecondFactorSerializer(second_factor.status_of(caller(request))).data)


class TotpView(OwnSecondFactorView):
    """The authenticator app."""

    serializer_class = PasswordRequest
    delete_takes_body = True

    @extend_schema(operation_id="auth_mfa_totp", request=PasswordRequest, responses={200: EnrolmentSerializer})
    def post(self, request: Request) -> Response:
        """Begin to set one up. Nothing changes until it is confirmed with a code."""
        user = _checked(request, PasswordRequest)
        return Response(EnrolmentSerializer(enrolment.start_enrolment(by=user)).data)

    @extend_schema(operation_id="auth_mfa_totp_delete", request=PasswordAndCodeRequest, responses={200: TokenResponse})
    def delete(self, request: Request) -> Response:
        """Remove it, recovery codes included. Every other login ends; this one goes on with the answer's tokens."""
        user = _checked(request, PasswordAndCodeRequest)
        login = enrolment.remove(by=user, session_id=session_id_of(request))
        return refresh_cookie.goes_on(request, cast(Login, login))  # a session was named, so one goes on


class TotpConfirmView(OwnSecondFactorView):
    """Show a first code: from now on logging in asks for one. Every other login ends."""

    serializer_class = CodeRequest

    @extend_schema(operation_id="auth_mfa_totp_confirm", request=CodeRequest, responses={200: EnrolledResponse})
    def post(self, request: Request) -> Response:
        serializer = CodeRequest(data=request.data)
        serializer.is_valid(raise_exception=True)
        code, session_id = serializer.validated_data["otp"], session_id_of(request)
        try:
            enrolled = enrolment.confirm_enrolment(by=_locked(request), code=code, session_id=session_id)
        except second_factor.WrongCode as exc:
            raise _refused("/otp", WRONG_CODE) from exc
        login = cast(Login, enrolled.login)  # as above
        return refresh_cookie.goes_on(request, login, recovery_codes=enrolled.recovery_codes)


class RecoveryCodesView(OwnSecondFactorView):
    """Ten new recovery codes; the old ones are void."""

    serializer_class = PasswordAndCodeRequest

    @extend_schema(
        operation_id="auth_mfa_recovery_codes",
        request=PasswordAndCodeRequest,
        responses={200: RecoveryCodesSerializer},
    )
    def post(self, request: Request) -> Response:
        user = _checked(request, PasswordAndCodeRequest)
        codes = enrolment.renew_recovery_codes(by=user)
        return Response(RecoveryCodesSerializer({"recovery_codes": codes}).data)


def _locked(request: Request) -> User:
    """The caller's row, so that of parallel changes one comes after the other."""
    return User.objects.select_for_update(no_key=True).get(pk=caller(request).pk)


def _checked(request: Request, kind: type[StrictSerializer]) -> User:
    """The caller, once the body's password was right, and its code where the body has one."""
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    body = serializer.validated_data
    user = _locked(request)
    if not user.check_password(body["password"]):
        raise _refused("/password", WRONG_PASSWORD)
    if "otp" in body:
        try:
            second_factor.use_code(user, body["otp"])
        except second_factor.WrongCode as exc:
            raise _refused("/otp", WRONG_CODE) from exc
    return user


def _refused(pointer: str, detail: str) -> Forbidden:
    return Forbidden(detail, code="invalid_credentials", errors=[FieldError(pointer, "invalid_credentials", detail)])
