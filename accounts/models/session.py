from django.conf import settings
from django.db import models
from django.utils.timezone import localtime

from practices.constraints import OwnRows
from practices.models import TenantModel


class RefreshSession(TenantModel):
    """One login: a family of refresh tokens of which only the newest is good. Revoked, its access tokens end too.

    A login to the admin has one for the practice it works in. It has no tokens: Django's session names the row.
    """

    class Kind(models.TextChoices):
        API = "api"
        ADMIN = "admin"

    area = "members"
    audited = False  # logging in and out are events of their own; rotating a token is none

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="refresh_sessions", db_index=True)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.API, db_default=Kind.API)
    token_version = models.PositiveIntegerField(default=1)
    """The user's at login: raising the user's ends their sessions in every practice at once."""
    second_factor = models.BooleanField(default=False)
    """Whether it was begun, or has since been confirmed, with more than a password."""
    generation = models.PositiveIntegerField(default=1)
    """Of the newest refresh token; an older one is a replay, but for a grace of seconds after `rotated_at`."""
    rotated_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    device = models.CharField(max_length=100, blank=True)
    """What people recognise of the user agent at login: `Firefox on Windows`."""
    ip = models.GenericIPAddressField(null=True, blank=True)
    """Of the newest refresh, or the last click that was noted."""

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [OwnRows(name="accounts_refreshsession_own_rows")]

    def __str__(self) -> str:
        return f"Session of {localtime(self.created_at):%Y-%m-%d %H:%M}"
