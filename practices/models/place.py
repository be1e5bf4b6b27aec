from django.db import models

from practices.fields import SamePracticeForeignKey
from practices.models.base import VersionedModel
from practices.models.practice import TimeZoneField


class Location(VersionedModel):
    """Where the practice sees patients. Without a time zone of its own it has the practice's."""

    area = "practice_settings"

    name = models.CharField(max_length=200)
    time_zone = TimeZoneField(blank=True)
    address_line1 = models.CharField(max_length=200, blank=True)
    address_line2 = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    region = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=2, blank=True)
    phone = models.CharField(max_length=32, blank=True)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["practice", "name"], name="location_name_unique")]

    def __str__(self) -> str:
        return self.name


class Resource(VersionedModel):
    """What an appointment occupies: a provider, a room, a piece of equipment. `capacity` n takes n visits at once."""

    class Kind(models.TextChoices):
        PROVIDER = "provider"
        ROOM = "room"
        EQUIPMENT = "equipment"

    area = "practice_settings"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=200)
    location = SamePracticeForeignKey(Location, models.PROTECT, null=True, blank=True, related_name="resources")
    provider = SamePracticeForeignKey(
        "accounts.ProviderProfile", models.PROTECT, null=True, blank=True, related_name="resources", db_index=False
    )
    capacity = models.PositiveSmallIntegerField(default=1)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["practice", "provider"], name="one_resource_per_provider"),
            models.CheckConstraint(condition=models.Q(capacity__gte=1), name="resource_capacity_positive"),
            models.CheckConstraint(
                condition=models.Q(kind="provider", provider__isnull=False)
                | models.Q(kind__in=["room", "equipment"], provider__isnull=True),
                name="resource_provider_by_kind",
                violation_error_message="A provider's resource names the provider; rooms and equipment name none.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
