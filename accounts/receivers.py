from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from accounts import admin_session, signals
from accounts.models import User
from accounts.sessions import email_hash


def connect() -> None:
    user_logged_in.connect(on_admin_login, dispatch_uid="accounts")
    user_logged_out.connect(on_admin_logout, dispatch_uid="accounts")
    user_login_failed.connect(on_admin_login_failure, dispatch_uid="accounts")


def on_admin_login(sender: object, request: HttpRequest | None = None, **kwargs: Any) -> None:
    if request is not None:
        admin_session.begin(request)


def on_admin_logout(sender: object, request: HttpRequest | None = None, **kwargs: Any) -> None:
    if request is not None:
        admin_session.leave(request)


def on_admin_login_failure(
    sender: object, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    if request is not None:
        announce_failure(request, str(credentials.get("username", "")))


def announce_failure(request: HttpRequest, email: str, reason: str = "invalid_credentials") -> None:
    """Call it outside any scope. The address is looked up so that its owner's practices can be told."""
    user_id = User.objects.filter(email=email.strip().lower()).values_list("pk", flat=True).first()
    signals.login_failed.send(User, email_hash=email_hash(email), user_id=user_id, reason=reason, request=request)
