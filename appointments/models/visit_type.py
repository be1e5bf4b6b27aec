from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from practices.models import Resource, VersionedModel


class AppointmentType(VersionedModel):
    """A kind of visit: how long it takes, what it needs around it, and when it may start. All lengths in minutes."""

    class Mode(models.TextChoices):
        IN_PERSON = "in-person"
        PHONE = "phone"
        VIDEO = "video"

    RESOURCE_KINDS = ((Resource.Kind.ROOM, "Room"), (Resource.Kind.EQUIPMENT, "Equipment"))

    area = "practice_settings"

    name = models.CharField(max_length=200)
    duration = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(1440)])
    buffer_before = models.PositiveSmallIntegerField(default=0)
    buffer_after = models.PositiveSmallIntegerField(default=0)
    alignment = models.PositiveSmallIntegerField(
        default=15, validators=[MinValueValidator(1)], help_text="Free times start at multiples of it, local time."
    )
    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.IN_PERSON)
    max_attendees = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    required_resource_kinds = ArrayField(
        models.CharField(max_length=10, choices=RESOURCE_KINDS),
        default=list,
        db_default=[],
        blank=True,
        help_text="A free one of each at the location is booked along with the provider.",
    )
    colour = models.CharField(max_length=7, blank=True, validators=[RegexValidator(r"^#[0-9a-fA-F]{6}\Z")])
    online = models.BooleanField(default=False, help_text="Patients may book it themselves.")
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["practice", "name"], name="appointment_type_name_unique"),
            models.CheckConstraint(
                condition=models.Q(duration__gte=1, duration__lte=1440, alignment__gte=1, max_attendees__gte=1),
                name="appointment_type_lengths_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(mode__in=["in-person", "phone", "video"]), name="appointment_type_mode_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name
