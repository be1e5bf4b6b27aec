from typing import Any

from practices.querysets import TenantManager, TenantQuerySet


class InvitationQuerySet(TenantQuerySet[Any]):
    def open(self) -> "InvitationQuerySet":
        """Neither accepted nor revoked; it may have expired."""
        return self.filter(accepted_at=None, revoked_at=None)


class InvitationManager(TenantManager.from_queryset(InvitationQuerySet)):  # type: ignore[misc]  # a base made at run time
    """Invitations of the active practice."""
