"""Logging in to the admin: an email address and a password, of somebody who has anything to do there."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from accounts.models import Membership, User
from practices.tenancy import identity_scope, own_rows


def check_credentials(email: str, password: str) -> User | None:
    """The active user with this address and password. An unknown address costs as much time as a wrong password."""
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        User().set_password(password)
        return None
    return user if user.check_password(password) and user.is_active else None


class RoleBackend(BaseBackend):
    """Permissions come from `User.has_perm`, which asks the role table."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        email = username if username is not None else kwargs.get(User.USERNAME_FIELD)
        if email is None or password is None:
            return None
        user = check_credentials(email, password)
        return user if user is not None and (user.is_superuser or self._is_member(user)) else None

    def get_user(self, user_id: Any) -> User | None:
        return User.objects.filter(pk=user_id, is_active=True).first()

    def _is_member(self, user: User) -> bool:
        with identity_scope(user.pk):
            return own_rows(Membership).filter(user=user, status=Membership.Status.ACTIVE).exists()
