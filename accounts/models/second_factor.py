from django.conf import settings
from django.db import models

from practices.encryption import PersonalSecretField
from practices.models import new_id


class TotpDevice(models.Model):
    """A user's authenticator app. Until it is confirmed with a code it is being enrolled, and proves nothing."""

    area = "platform"
    audited = False  # enrolling and removing it are events of the user; logging in with it moves nothing but a counter

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="totp_device")
    secret = PersonalSecretField(help_text="Encrypted.")
    last_step = models.BigIntegerField(default=0)
    """Of the newest code that was used: it and older ones prove nothing any more."""
    confirmed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return "Authenticator app"


class RecoveryCode(models.Model):
    """Takes the place of a code from the app, once."""

    area = "platform"
    audited = False  # as above; using one is an event of the user

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="recovery_codes", db_index=False)
    digest = models.CharField(max_length=64)
    """SHA-256: 120 random bits can't be guessed from it, so it need not be slow."""
    used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_once_per_user")]

    def __str__(self) -> str:
        return "Recovery code"
