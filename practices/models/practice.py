import zoneinfo
from functools import cache
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from practices.models.base import RemembersValues, VersionedModel, new_id
from practices.querysets import AnnouncedQuerySet
from practices.roles import Role


@cache
def time_zones() -> frozenset[str]:
    """Read once: every call of zoneinfo's walks through the files of all zones.

    Without those that are no place's: `localtime` is whatever the server is set to, and browsers know neither.
    """
    return frozenset(zoneinfo.available_timezones() - {"Factory", "localtime"})


def validate_time_zone(value: str) -> None:
    """An IANA zone name, such as Europe/Berlin."""
    if value not in time_zones():
        raise ValidationError("Enter an IANA time zone, such as Europe/Berlin.", code="invalid_time_zone")


class TimeZoneField(models.CharField):  # type: ignore[type-arg]  # a str, as CharField's
    """An IANA zone name."""

    default_validators = [validate_time_zone]

    def __init__(self, **kwargs: object) -> None:
        kwargs.setdefault("max_length", 64)
        super().__init__(**kwargs)  # type: ignore[arg-type]  # the caller's keywords are CharField's


class Practice(RemembersValues):
    """The tenant. Not a tenant's row itself: its row policy shows it to its own scope, its members and the platform."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"
        CLOSED = "closed"

    area: ClassVar[str] = "practice_settings"
    audited: ClassVar[bool] = True

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    legal_name = models.CharField(max_length=200, blank=True)
    time_zone = TimeZoneField()
    locale = models.CharField(
        max_length=35, default="en-US", validators=[RegexValidator(r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*\Z")]
    )
    currency = models.CharField(max_length=3, default="USD", validators=[RegexValidator(r"^[A-Z]{3}\Z")])
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AnnouncedQuerySet["Practice"].as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["active", "suspended", "closed"]), name="practice_status_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Counts its saves, as a VersionedModel does; whoever edits it has locked the row."""
        if not self._state.adding:
            self.version += 1
            if (names := kwargs.get("update_fields")) is not None:
                kwargs["update_fields"] = {*names, "version", "updated_at"}
        super().save(*args, **kwargs)


class PracticePolicy(VersionedModel):
    """The practice's own booking and record-keeping rules; one row a practice."""

    area = "practice_settings"

    min_notice_minutes = models.PositiveIntegerField(default=0)
    horizon_days = models.PositiveIntegerField(default=365)
    cancel_notice_hours = models.PositiveIntegerField(default=24)
    hold_ttl_seconds = models.PositiveIntegerField(default=600)
    offer_ttl_minutes = models.PositiveIntegerField(
        default=120,
        db_default=120,
        validators=[MinValueValidator(1), MaxValueValidator(10_080)],
        help_text="How long a time is held for somebody on the waitlist.",
    )
    no_show_after_minutes = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: never by itself.")
    require_cancel_reason = models.BooleanField(default=False)
    quiet_hours_start = models.TimeField(null=True, blank=True)
    quiet_hours_end = models.TimeField(null=True, blank=True)
    retention_years = models.PositiveIntegerField(default=10)
    mfa_required_roles = ArrayField(
        models.CharField(max_length=20, choices=Role.choices),
        default=list,
        blank=True,
        help_text="Members with one of these roles get no further without a second factor than to setting one up.",
    )

    class Meta:
        verbose_name_plural = "practice policies"
        constraints = [
            models.UniqueConstraint(fields=["practice"], name="one_policy_per_practice"),
            models.CheckConstraint(
                condition=models.Q(quiet_hours_start__isnull=True, quiet_hours_end__isnull=True)
                | models.Q(quiet_hours_start__isnull=False, quiet_hours_end__isnull=False),
                name="quiet_hours_paired",
                violation_error_message="Give both ends of the quiet hours, or neither.",
            ),
            models.CheckConstraint(
                condition=models.Q(mfa_required_roles__contained_by=Role.values), name="mfa_required_roles_known"
            ),
        ]

    def __str__(self) -> str:
        return "Policy"
