"""What somebody can be in a practice. What each may do there is in `accounts.roles`."""

from django.db import models


class Role(models.TextChoices):
    OWNER = "owner"
    ADMIN = "admin"
    PROVIDER = "provider"
    ASSISTANT = "assistant"
    FRONT_DESK = "front_desk"
    BILLER = "biller"
    AUDITOR = "auditor"
