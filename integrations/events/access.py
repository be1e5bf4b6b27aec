"""Who may listen: a login that is still good, of a member who still is one."""

from collections.abc import Collection
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.db.models.signals import post_delete, post_save

from accounts.models import Membership, RefreshSession
from accounts.signals import logged_out
from integrations.events.wake import wake
from practices.models import PracticePolicy
from practices.signals import bulk_updated
from practices.tenancy import current_scope


def connect() -> None:
    """Listeners are judged anew as soon as somebody's access may have ended, and not at the next look only."""
    for signal in (post_save, post_delete, bulk_updated):
        signal.connect(_look_again, sender=Membership, dispatch_uid="events.access")
    logged_out.connect(_look_again, sender=RefreshSession, dispatch_uid="events.access")


def _look_again(sender: object, **kwargs: Any) -> None:
    scope = current_scope()
    if scope is not None and scope.practice_id is not None:
        transaction.on_commit(partial(wake, scope.practice_id), robust=True)


def roles_of_sessions(session_ids: Collection[UUID]) -> dict[UUID, tuple[str, ...]]:
    """The present roles behind each of the active practice's sessions that still gives access. One query."""
    policy = PracticePolicy.objects.filter(mfa_required_roles__overlap=OuterRef("roles"))
    proven = Q(user__refresh_sessions__second_factor=True)
    rows = Membership.objects.filter(
        proven | (Q(user__is_superuser=False) & ~Exists(policy)),
        status=Membership.Status.ACTIVE,
        practice__status="active",
        user__is_active=True,
        user__refresh_sessions__in=session_ids,
        user__refresh_sessions__revoked_at=None,
        user__refresh_sessions__expires_at__gt=Now(),
        user__refresh_sessions__token_version=F("user__token_version"),
    ).values_list("user__refresh_sessions__id", "roles")
    return {session_id: tuple(roles) for session_id, roles in rows}
