"""A program's key in place of a login: `Authorization: Bearer pk_...`."""

from typing import Any

import structlog
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.api_keys import NEVER, living_key, must_enrol, note_use, role_of
from accounts.authentication import EnrolmentRequired
from accounts.models import ApiKey, User
from accounts.permissions import RolePermission, view_area
from config.api.problem import CHALLENGE, Forbidden, NotAuthenticated
from practices.bound_secrets import is_key, key_parts
from practices.tenancy import Actor, current_scope


class ApiKeyAuthentication(BaseAuthentication):
    """`request.user` is the key's maker, `request.auth` the ApiKey. One statement a request, another once a minute.

    The middleware opened the scope of the practice that the key names. Views that are about the caller's own login
    take no keys: only those of the role table do, and those that say `accepts_api_keys`.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not is_key(text):
            return None
        scope, parts = current_scope(), key_parts(text)
        if scope is None or parts is None or scope.practice_id != parts.practice_id:
            raise NotAuthenticated
        key = living_key(text)
        if key is None:
            raise NotAuthenticated
        user: User = key.member.user
        scope.actor = Actor.user(user.pk, (role_of(key),), f"{user} by API key {key.name} ({key.prefix})"[:200])
        structlog.contextvars.bind_contextvars(
            user_id=str(user.pk), practice_id=str(key.practice_id), api_key=key.prefix
        )
        if not accepts_keys((request.parser_context or {}).get("view")):
            raise Forbidden("An API key can't do this; log in.")
        if must_enrol(key):
            raise EnrolmentRequired
        note_use(key)
        return user, key

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE

    def security_scheme(self, view: Any) -> str | None:
        """For the contract: the name of our scheme, where the view takes keys."""
        return "ApiKey" if accepts_keys(view) and view_area(view) not in NEVER else None


def accepts_keys(view: Any) -> bool:
    return RolePermission in getattr(view, "permission_classes", ()) or getattr(view, "accepts_api_keys", False)
