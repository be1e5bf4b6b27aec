"""Logging in to the admin: an email address and a password, of somebody who has anything to do there."""

from functools import cache
from secrets import token_urlsafe
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import BasePasswordHasher, get_hasher, verify_password
from django.db import models
from django.http import HttpRequest

from accounts.models import Membership, User
from practices.tenancy import identity_scope, own_rows

_COLUMNS = [field.attname for field in User._meta.concrete_fields if not isinstance(field, models.DateTimeField)]


def check_credentials(email: str, password: str) -> User | None:
    """The active user with this address and password. An unknown address costs as much time as a wrong password.

    So the row becomes a user only once the password was right, and the columns that cost most to read stay behind.
    """
    nobodys = _unknown_password(get_hasher())  # whoever asks first, or the first unknown address would take longer
    row = User.objects.filter(email=email.strip().lower()).values_list(*_COLUMNS).first()
    encoded = row[_COLUMNS.index("password")] if row else nobodys
    correct, stale = verify_password(password, encoded)
    if not correct or row is None:
        return None
    user = User.from_db("default", _COLUMNS, row)
    if stale:
        user.rehash(password)
    return user if user.is_active else None


@cache
def _unknown_password(hasher: BasePasswordHasher) -> str:
    return hasher.encode(token_urlsafe(), hasher.salt())


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
