from typing import Any

from rest_framework import serializers

from accounts.enrolment import Enrolment
from accounts.one_time_codes import RECOVERY_CODES
from accounts.second_factor import Status
from accounts.serializers.auth import SecretField, TokenResponse
from config.api.serializers import StrictSerializer


class CodeField(SecretField):
    """A code of the authenticator app, or a recovery code."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 64, "help_text": "Of the authenticator app, or a recovery code."} | options)


class PasswordRequest(StrictSerializer):
    password = SecretField(max_length=1000)


class CodeRequest(StrictSerializer):
    otp = SecretField(max_length=64, help_text="Of the authenticator app.")


class PasswordAndCodeRequest(PasswordRequest):
    otp = CodeField()


class EnrolmentSerializer(serializers.Serializer[Enrolment]):
    secret = serializers.CharField(read_only=True, help_text="For typing it into the app; shown this once.")
    provisioning_uri = serializers.CharField(read_only=True, help_text="For the QR code: `otpauth://totp/...`.")


class RecoveryCodesField(serializers.ListField):
    def __init__(self, **options: Any) -> None:
        kwargs: dict[str, Any] = {
            "child": serializers.CharField(),
            "read_only": True,
            "min_length": RECOVERY_CODES,
            "max_length": RECOVERY_CODES,
            "help_text": "Each takes the place of a code once; shown this once.",
        } | options
        super().__init__(**kwargs)


class RecoveryCodesSerializer(serializers.Serializer[Any]):
    recovery_codes = RecoveryCodesField()


class EnrolledResponse(TokenResponse):
    """The session goes on with these tokens; every other login has ended."""

    recovery_codes = RecoveryCodesField()


class SecondFactorSerializer(serializers.Serializer[Status]):
    active = serializers.BooleanField(read_only=True, help_text="Whether logging in asks for a code.")
    recovery_codes_left = serializers.IntegerField(read_only=True)
