import re
from typing import Any, ClassVar

from rest_framework import serializers

from accounts import tokens
from accounts.models import RefreshSession, User
from accounts.roles import Access, Area, Role, grant
from accounts.sessions import Login, memberships_of
from config.api.fields import BooleanField, ChoiceField, EmailField, InstantField, TextField
from config.api.serializers import StrictModelSerializer, StrictSerializer
from practices.models import Practice
from practices.tenancy import current_scope

GRANT_TYPES = ["password", "refresh_token"]
COOKIE = (
    "Have the refresh token put into a cookie that scripts can't read, instead of the answer. For pages of our own"
    " origin or of CORS_ALLOWED_ORIGINS on the same site, which the Origin header must name (403 otherwise)."
)
DEVICE = (
    "From an earlier login on this device, for who keeps no cookies: attempts are then counted apart from strangers',"
    " who can't lock this device out. It opens nothing."
)
ACCESS_NAMES = [level.name.lower() for level in Access]


class SecretField(TextField):
    """Text that is taken as it is, blanks included, and never sent back."""

    def __init__(self, **options: Any) -> None:
        kwargs: dict[str, Any] = {
            "trim_whitespace": False,
            "write_only": True,
            "max_length": 4096,
            "style": {"input_type": "password"},
        } | options
        super().__init__(**kwargs)


class RefreshTokenField(SecretField):
    """Any text: what can't be a token is refused like one that isn't good, since a client does the same about it."""

    control = re.compile("(?!)")  # matches nothing

    def __init__(self) -> None:
        super().__init__(
            required=False, allow_blank=True, max_length=None, help_text="Left out, the cookie's is taken."
        )


class TokenRequest(StrictSerializer):
    """OAuth2's password and refresh_token grants; what OAuth2 clients send beside them is accepted and ignored."""

    grant_type = ChoiceField(choices=GRANT_TYPES)
    username = TextField(required=False, max_length=254, help_text="The email address.")
    password = SecretField(required=False, max_length=1000)
    otp = SecretField(
        required=False,
        max_length=64,
        help_text="Code of the authenticator app, or a recovery code; needed once one is set up (401 `otp_required`).",
    )
    practice = TextField(required=False, max_length=60, help_text="Id or slug; needed by members of several practices.")
    refresh_token = RefreshTokenField()
    cookie = BooleanField(default=False, help_text=COOKIE)
    device_token = SecretField(required=False, max_length=400, help_text=DEVICE)
    scope = TextField(required=False, allow_blank=True, max_length=1000, help_text="Ignored.")
    client_id = TextField(required=False, allow_blank=True, max_length=1000, help_text="Ignored.")
    client_secret = SecretField(
        required=False,
        allow_blank=True,
        help_text="Six digits are taken as otp, which OAuth2's own forms have no field for; else ignored.",
    )

    _needed: ClassVar[dict[str, tuple[str, ...]]] = {
        "password": ("username", "password"),
        "refresh_token": (),  # may come as a cookie
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in self._needed[attrs["grant_type"]] if not attrs.get(name)]
        if missing:
            raise serializers.ValidationError({name: ["This field is required."] for name in missing}, code="required")
        return attrs


class PracticeSummary(StrictModelSerializer[Practice]):
    class Meta:
        model = Practice
        fields = ["id", "name", "slug"]
        read_only_fields = fields


class TokenResponse(serializers.Serializer[Login]):
    access_token = serializers.CharField(source="session", read_only=True)
    refresh_token = serializers.CharField(source="session", read_only=True, help_text="Empty when the cookie has it.")
    device_token = serializers.CharField(
        read_only=True, help_text="After logging in with a password, else empty: see the request's."
    )
    token_type = serializers.CharField(read_only=True, help_text="Always `bearer`.")
    expires_in = serializers.IntegerField(read_only=True, help_text="Seconds.")
    practice = PracticeSummary(read_only=True)
    role = serializers.ChoiceField(choices=Role.choices, read_only=True, help_text="The first of `roles`.")
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices), read_only=True)

    def to_representation(self, instance: Login) -> dict[str, Any]:
        return {
            "access_token": tokens.access_token(instance.session),
            "refresh_token": "" if self.context.get("cookie") else tokens.refresh_token(instance.session),
            "device_token": "",
            "token_type": "bearer",
            "expires_in": tokens.expires_in(),
            "practice": PracticeSummary(instance.practice).data,
            "role": instance.roles[0],
            "roles": list(instance.roles),
        }


class LogoutRequest(StrictSerializer):
    refresh_token = RefreshTokenField()


class SwitchPracticeRequest(StrictSerializer):
    practice = TextField(max_length=60, help_text="Id or slug.")
    cookie = BooleanField(default=False, help_text=COOKIE)


class PasswordChangeRequest(StrictSerializer):
    current_password = SecretField(max_length=1000)
    new_password = SecretField(max_length=1000)


class PasswordResetRequest(StrictSerializer):
    email = EmailField(max_length=254)


class PasswordResetConfirmRequest(StrictSerializer):
    token = SecretField(max_length=200, help_text="What follows # in the mailed link.")
    new_password = SecretField(max_length=1000)


class MePractice(PracticeSummary):
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices), read_only=True)

    class Meta(PracticeSummary.Meta):
        fields = [*PracticeSummary.Meta.fields, "time_zone", "locale", "currency", "roles"]
        read_only_fields = fields


class MeSerializer(StrictModelSerializer[User]):
    """The user in the token's practice. `permissions` holds for all rows of an area, `own_permissions` for own ones."""

    practice = MePractice(read_only=True)
    practices = MePractice(many=True, read_only=True)
    role = serializers.ChoiceField(choices=Role.choices, read_only=True)
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices), read_only=True)
    permissions = serializers.DictField(child=serializers.ChoiceField(choices=ACCESS_NAMES), read_only=True)
    own_permissions = serializers.DictField(child=serializers.ChoiceField(choices=ACCESS_NAMES), read_only=True)

    class Meta:
        model = User
        fields = ["id", "email", "name", "practice", "practices", "role", "roles", "permissions", "own_permissions"]
        read_only_fields = ["id", "email"]

    def to_representation(self, instance: User) -> dict[str, Any]:
        scope = current_scope()
        practices = [_practice(membership) for membership in memberships_of(instance)]
        roles = list(scope.actor.roles) if scope else []
        grants = {str(area): grant(roles, area) for area in Area if area != Area.PLATFORM}
        return {
            "id": instance.pk,
            "email": instance.email,
            "name": instance.name,
            "practice": next(each for each in practices if scope and each["id"] == str(scope.practice_id)),
            "practices": practices,
            "role": roles[0],
            "roles": roles,
            "permissions": {area: each.others.name.lower() for area, each in grants.items()},
            "own_permissions": {area: each.own.name.lower() for area, each in grants.items()},
        }


def _practice(membership: Any) -> dict[str, Any]:
    practice = membership.practice
    return {
        "id": str(practice.pk),
        "name": practice.name,
        "slug": practice.slug,
        "time_zone": practice.time_zone,
        "locale": practice.locale,
        "currency": practice.currency,
        "roles": membership.roles,
    }


class SessionSerializer(StrictModelSerializer[RefreshSession]):
    """A login of the caller in this practice that is still alive, with tokens or to the admin."""

    last_used_at = InstantField(source="rotated_at", read_only=True, help_text="To within the life of an access token.")
    current = serializers.BooleanField(read_only=True, help_text="Whether it is the one this request was made with.")

    class Meta:
        model = RefreshSession
        fields = [
            *(
                "id",
                "kind",
                "device",
                "ip",
                "current",
                "last_used_at",
                "created_at",
                "rotated_at",
                "expires_at",
                "user_agent",
            ),
        ]
        read_only_fields = fields
