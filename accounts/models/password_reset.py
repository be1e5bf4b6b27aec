from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.timezone import localtime

from practices.models import new_id


class PasswordReset(models.Model):
    """A link to choose a new password, mailed to its user: good once, and not for long. Of its token only the hash is
    kept, so that a copy of the database opens no account.
    """

    area: ClassVar[str] = "platform"
    audited: ClassVar[bool] = False  # asking is open to anybody; what is done with a link is an event of the user's

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="password_resets")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-created_at", "id"]

    def __str__(self) -> str:
        return f"Reset of {localtime(self.created_at):%Y-%m-%d %H:%M}"
