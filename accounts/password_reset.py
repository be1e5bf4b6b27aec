"""Forgotten passwords: a link by mail, good once, whose token is known to nobody but its reader."""

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.utils import timezone

from accounts import signals
from accounts.models import PasswordReset, User
from accounts.sessions import Origin, log_out_everywhere
from practices.models import new_id
from practices.tenancy import identity_scope

LIFETIME = timedelta(minutes=30)


class WrongLink(Exception):
    """The token is none of ours, was used, or is too old: which of these is not told."""


@transaction.atomic
def request_reset(*, email: str) -> None:
    """Has a link mailed to the active user with this address, if there is one. The same two statements either way."""
    found = User.objects.filter(email=email.strip().lower(), is_active=True).values_list("pk", flat=True).first()
    signals.password_reset_requested.send(User, user_id=found or new_id())


@transaction.atomic
def make_link(*, user_id: UUID) -> str | None:
    """For the job that mails it. None when there is no such active user. Earlier links stay good, or anybody could
    void them by asking for one more.
    """
    now, token = timezone.now(), secrets.token_urlsafe(32)
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        return None
    PasswordReset.objects.filter(expires_at__lte=now).delete()
    PasswordReset.objects.create(user=user, token_hash=_hash(token), expires_at=now + LIFETIME)
    return f"{settings.PASSWORD_RESET_URL}#{token}"


def reset_password(*, token: str, password: str, origin: Origin) -> None:
    """Consumes the link, and with it all others of the user; ends every login of theirs in every practice.

    It logs nobody in, so a second factor is asked for as ever. Raises WrongLink; ValidationError for a password that
    is too weak, with which the link stays good.
    """
    digest, now = _hash(token), timezone.now()
    user_id = PasswordReset.objects.filter(token_hash=digest, expires_at__gt=now).values_list("user", flat=True).first()
    if user_id is None:
        raise WrongLink
    with identity_scope(user_id, request_id=origin.request_id, ip=origin.ip):
        user = User.objects.select_for_update(no_key=True).get(pk=user_id)
        good = PasswordReset.objects.filter(user=user, token_hash=digest, expires_at__gt=now).exists()
        if not (good and user.is_active):  # another request was faster, or somebody put the user out
            raise WrongLink
        validate_password(password, user)
        user.set_password(password)
        user.save(update_fields=["password", "updated_at"])
        log_out_everywhere(by=user)
        PasswordReset.objects.filter(user=user).delete()
        signals.password_changed.send(User, user=user)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
