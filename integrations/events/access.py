"""Who may listen: a login that is still good, of a member who still is one."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Now

from accounts.models import Membership


def roles_of_sessions(session_ids: Collection[UUID]) -> dict[UUID, tuple[str, ...]]:
    """The present roles behind each of the active practice's sessions that still gives access. One query."""
    rows = Membership.objects.filter(
        status=Membership.Status.ACTIVE,
        practice__status="active",
        user__is_active=True,
        user__refresh_sessions__in=session_ids,
        user__refresh_sessions__revoked_at=None,
        user__refresh_sessions__expires_at__gt=Now(),
        user__refresh_sessions__token_version=F("user__token_version"),
    ).values_list("user__refresh_sessions__id", "roles")
    return {session_id: tuple(roles) for session_id, roles in rows}
