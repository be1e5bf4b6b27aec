"""The same tables as plain models, which no migration of ours touches."""

import uuid

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.postgres.fields import ArrayField
from django.db import models


class Unmanaged(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)

    class Meta:
        abstract = True
        managed = False
        app_label = "plain"


class User(AbstractBaseUser, Unmanaged):
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200)
    is_active = models.BooleanField()
    USERNAME_FIELD = "email"

    class Meta(Unmanaged.Meta):
        db_table = "accounts_user"

    def __str__(self) -> str:
        return self.name


class Membership(Unmanaged):
    practice_id = models.UUIDField()
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    roles = ArrayField(models.CharField(max_length=20))
    status = models.CharField(max_length=10)

    class Meta(Unmanaged.Meta):
        db_table = "accounts_membership"

    def __str__(self) -> str:
        return self.status


class PracticeKey(Unmanaged):
    practice_id = models.UUIDField()
    kind = models.CharField(max_length=5)
    number = models.IntegerField()
    wrapped = models.TextField()

    class Meta(Unmanaged.Meta):
        db_table = "practices_practicekey"

    def __str__(self) -> str:
        return self.kind


class Patient(Unmanaged):
    practice_id = models.UUIDField()
    mrn = models.CharField(max_length=32)
    given_name = models.CharField(max_length=100)
    family_name = models.CharField(max_length=100)
    preferred_name = models.CharField(max_length=100)
    sort_name = models.CharField(max_length=250)
    birth_date = models.DateField(null=True)
    birth_date_precision = models.CharField(max_length=5)
    sex = models.CharField(max_length=7)
    gender_identity = models.CharField(max_length=100)
    pronouns = models.CharField(max_length=50)
    language = models.CharField(max_length=35)
    time_zone = models.CharField(max_length=64)
    deceased_at = models.DateTimeField(null=True)
    restricted = models.BooleanField()
    status = models.CharField(max_length=8)
    merged_into = models.ForeignKey("self", models.PROTECT, null=True)
    version = models.IntegerField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta(Unmanaged.Meta):
        db_table = "patients_patient"

    def __str__(self) -> str:
        return self.sort_name


class PatientName(Unmanaged):
    practice_id = models.UUIDField()
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="words")
    word = models.CharField(max_length=100)

    class Meta(Unmanaged.Meta):
        db_table = "patients_patientname"

    def __str__(self) -> str:
        return self.word


class ContactPoint(Unmanaged):
    practice_id = models.UUIDField()
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="contacts")
    kind = models.CharField(max_length=5)
    value = models.TextField()
    use = models.CharField(max_length=6)
    rank = models.IntegerField()

    class Meta(Unmanaged.Meta):
        db_table = "patients_contactpoint"
        ordering = ["rank", "id"]

    def __str__(self) -> str:
        return self.kind


class Provider(Unmanaged):
    display_name = models.CharField(max_length=200)

    class Meta(Unmanaged.Meta):
        db_table = "accounts_providerprofile"

    def __str__(self) -> str:
        return self.display_name


class Appointment(Unmanaged):
    practice_id = models.UUIDField()
    patient = models.ForeignKey(Patient, models.PROTECT)
    appointment_type = models.UUIDField(db_column="appointment_type_id")
    provider = models.ForeignKey(Provider, models.PROTECT)
    location = models.UUIDField(db_column="location_id")
    start = models.DateTimeField(null=True)
    end = models.DateTimeField(null=True)
    time_zone = models.CharField(max_length=64)
    status = models.CharField(max_length=16)
    flow_stage = models.CharField(max_length=16)
    cancellation_reason = models.UUIDField(null=True, db_column="cancellation_reason_id")
    hold_expires_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    arrived_at = models.DateTimeField(null=True)
    checked_in_at = models.DateTimeField(null=True)
    fulfilled_at = models.DateTimeField(null=True)
    late_cancel = models.BooleanField(default=False)
    left_unseen = models.BooleanField(default=False)
    series = models.UUIDField(null=True, db_column="series_id")
    series_index = models.PositiveSmallIntegerField(null=True)
    detached = models.BooleanField(default=False)
    overbook_reason = models.CharField(max_length=500)
    notes = models.TextField()
    version = models.IntegerField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta(Unmanaged.Meta):
        db_table = "appointments_appointment"

    def __str__(self) -> str:
        return self.status


class AuditEvent(Unmanaged):
    practice_id = models.UUIDField()
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10, default="user")
    actor_id = models.UUIDField()
    actor_label = models.CharField(max_length=200)
    roles = ArrayField(models.CharField(max_length=20))
    action = models.CharField(max_length=20)
    entity = models.CharField(max_length=100)
    entity_id = models.UUIDField(null=True)
    patient_ids = ArrayField(models.UUIDField())
    changes = models.JSONField(default=dict)
    request_id = models.CharField(max_length=128, default="")
    ip = models.GenericIPAddressField()
    operation = models.CharField(max_length=200)
    reason = models.CharField(max_length=200, default="")
    status = models.SmallIntegerField(null=True)

    class Meta(Unmanaged.Meta):
        db_table = "audit_auditevent"

    def __str__(self) -> str:
        return self.action
