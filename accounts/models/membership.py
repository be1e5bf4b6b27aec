from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.roles import Role
from practices.constraints import OwnRows
from practices.fields import SamePracticeForeignKey
from practices.models import TimeZoneField, VersionedModel


class Membership(VersionedModel):
    """A user's place in a practice, with one or more roles."""

    class Status(models.TextChoices):
        INVITED = "invited"
        ACTIVE = "active"
        SUSPENDED = "suspended"

    area = "members"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="memberships", db_index=True)
    roles = ArrayField(models.CharField(max_length=20, choices=Role.choices))
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["practice", "user"], name="one_membership_per_user"),
            models.CheckConstraint(
                condition=models.Q(status__in=["invited", "active", "suspended"]), name="membership_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(roles__contained_by=Role.values, roles__len__gte=1), name="membership_roles_known"
            ),
            OwnRows(name="accounts_membership_own_rows"),
        ]

    def __str__(self) -> str:
        return ", ".join(self.roles)


class ProviderProfile(VersionedModel):
    """A member who sees patients, as the calendar knows them."""

    area = "practice_settings"

    membership = SamePracticeForeignKey(Membership, models.PROTECT, related_name="provider_profiles", db_index=False)
    display_name = models.CharField(max_length=200)
    specialty = models.CharField(max_length=200, blank=True)
    registration_number = models.CharField(max_length=100, blank=True)
    time_zone = TimeZoneField(blank=True)
    colour = models.CharField(max_length=7, blank=True)
    accepts_new = models.BooleanField(default=True)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["display_name", "id"]
        constraints = [models.UniqueConstraint(fields=["practice", "membership"], name="one_profile_per_member")]

    def __str__(self) -> str:
        return self.display_name
