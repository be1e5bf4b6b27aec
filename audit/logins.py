"""Logins, failed ones and log-outs, of the API and the admin."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import signals
from accounts.models import Membership, User
from audit.models import AuditEvent
from audit.recording import record, record_apart, record_on_platform
from audit.tasks import queue_login_failure
from config.api.client import client_address
from practices.middleware import operation_of
from practices.models import new_id
from practices.tenancy import Actor, Scope, current_scope, identity_scope, own_rows

Action = AuditEvent.Action
USER = "accounts.user"
REFUSED = 401


def connect() -> None:
    signals.logged_in.connect(on_login, dispatch_uid="audit")
    signals.login_failed.connect(on_login_failure, dispatch_uid="audit")
    signals.logged_out.connect(on_logout, dispatch_uid="audit")
    signals.token_replayed.connect(on_replay, dispatch_uid="audit")
    signals.password_changed.connect(on_password_changed, dispatch_uid="audit")
    signals.second_factor_changed.connect(on_second_factor_change, dispatch_uid="audit")
    user_logged_in.connect(on_admin_login, dispatch_uid="audit")
    user_logged_out.connect(on_admin_logout, dispatch_uid="audit")


def on_login(sender: object, user: User, **kwargs: Any) -> None:
    record(Action.LOGIN, USER, user.pk)


def on_logout(sender: object, user_id: UUID, **kwargs: Any) -> None:
    record(Action.LOGOUT, USER, user_id)


def on_replay(sender: type[models.Model], session: models.Model, **kwargs: Any) -> None:
    record(Action.TOKEN_REPLAYED, sender._meta.label_lower, session.pk)


def on_password_changed(sender: object, user: User, **kwargs: Any) -> None:
    """Changing the user's row is an event already."""
    _tell_practices(user.pk, {"password": None})


def on_second_factor_change(sender: object, user_id: UUID, change: str, **kwargs: Any) -> None:
    record(Action.UPDATE, USER, user_id, changes={"second_factor": [None, change]})
    _tell_practices(user_id, {"second_factor": [None, change]})


def _tell_practices(user_id: UUID, changes: dict[str, Any]) -> None:
    """What happens to a user outside any practice shows in those they belong to as well."""
    scope = current_scope()
    if scope is None or scope.practice_id is not None:
        return
    for practice_id in _practices_of(user_id):
        there = Scope(practice_id, scope.actor, scope.request_id, scope.ip, operation=scope.operation)
        record_apart(there, Action.UPDATE, USER, user_id, changes=changes)


def on_login_failure(
    sender: object, email_hash: str, user_id: UUID | None, reason: str, request: HttpRequest | None, **kwargs: Any
) -> None:
    """At once in the platform's log, in those of the user's practices by a job: what an attempt costs here must not
    depend on whether anybody has the address, or the time it takes would tell.
    """
    at = timezone.now()
    attempt = failed_attempt(email_hash)
    if request is not None:
        _add_origin(attempt, request)
    with transaction.atomic():
        record_on_platform(attempt, Action.LOGIN_FAILED, USER, user_id, reason=reason, status=REFUSED, at=at)
        queue_login_failure(
            {
                "user_id": str(user_id or new_id()),
                "email_hash": email_hash,
                "reason": reason,
                "request_id": attempt.request_id,
                "ip": attempt.ip,
                "operation": attempt.operation,
                "at": at.isoformat(),
            }
        )


def failed_attempt(email_hash: str, *, request_id: str = "", ip: str | None = None, operation: str = "") -> Scope:
    """What is known of somebody who didn't get in."""
    actor = Actor(kind="anonymous", label=f"email:{email_hash}")
    return Scope(None, actor, request_id, ip, operation=operation)


@transaction.atomic
def record_in_practices(attempt: Scope, user_id: UUID, *, reason: str, at: datetime) -> None:
    for practice_id in _practices_of(user_id):
        there = replace(attempt, practice_id=practice_id, before_commit=[])
        record_apart(there, Action.LOGIN_FAILED, USER, user_id, reason=reason, status=REFUSED, at=at)


def on_admin_login(sender: object, user: User, request: HttpRequest | None = None, **kwargs: Any) -> None:
    _record_of_admin(Action.LOGIN, user, request)


def on_admin_logout(sender: object, user: User | None, request: HttpRequest | None = None, **kwargs: Any) -> None:
    if user is not None:  # whose session had ended already
        _record_of_admin(Action.LOGOUT, user, request)


def _record_of_admin(action: str, user: User, request: HttpRequest | None) -> None:
    """In the practice that is chosen, if one is; else wherever the user belongs."""
    scope = current_scope()
    if scope is not None and scope.practice_id is not None:
        record(action, USER, user.pk)
    else:
        _record_everywhere(action, Actor.user(user.pk, label=str(user)), user.pk, request)


def _record_everywhere(action: str, actor: Actor, user_id: UUID, request: HttpRequest | None, **more: Any) -> None:
    """In the platform's log, and in that of every practice the user is a member of."""
    scope = Scope(None, actor)
    if request is not None:
        _add_origin(scope, request)
    for practice_id in (None, *_practices_of(user_id)):
        scope.practice_id = practice_id
        record_apart(scope, action, USER, user_id, **more)


def _add_origin(scope: Scope, request: HttpRequest) -> None:
    scope.request_id, scope.ip = getattr(request, "request_id", ""), client_address(request) or None
    scope.operation = operation_of(request)


def _practices_of(user_id: UUID) -> list[UUID]:
    with identity_scope(user_id):
        members = own_rows(Membership).filter(user_id=user_id, status=Membership.Status.ACTIVE)
        return list(members.values_list("practice_id", flat=True))
