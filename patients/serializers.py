from rest_framework import serializers

from config.api import fields
from config.api.serializers import StrictModelSerializer
from patients.models import ContactPoint, Patient, PatientIdentifier

EDITABLE = [
    "mrn",
    "given_name",
    "family_name",
    "preferred_name",
    "birth_date",
    "birth_date_precision",
    "sex",
    "gender_identity",
    "pronouns",
    "language",
    "time_zone",
    "deceased_at",
    "restricted",
]


COLUMNS = ["id", *EDITABLE, "status", "merged_into", "version", "created_at", "updated_at"]


class PatientSerializer(StrictModelSerializer[Patient]):
    phone = serializers.CharField(read_only=True, allow_null=True, help_text="The primary one, in E.164.")
    email = serializers.CharField(read_only=True, allow_null=True, help_text="The primary one.")

    class Meta:
        model = Patient
        fields = [*COLUMNS, "phone", "email"]
        read_only_fields = fields


class PatientCreateSerializer(StrictModelSerializer[Patient]):
    phone = fields.TextField(required=False, allow_blank=True, max_length=50)
    email = fields.TextField(required=False, allow_blank=True, max_length=254)
    force = fields.BooleanField(default=False, help_text="Create although there are possible duplicates.")
    force_reason = fields.TextField(required=False, allow_blank=True, max_length=500)

    class Meta:
        model = Patient
        fields = [*EDITABLE, "phone", "email", "force", "force_reason"]


class PatientUpdateSerializer(StrictModelSerializer[Patient]):
    class Meta:
        model = Patient
        fields = EDITABLE


class PatientIdentifierSerializer(StrictModelSerializer[PatientIdentifier]):
    value = fields.TextField(max_length=64)

    class Meta:
        model = PatientIdentifier
        fields = ["id", "type", "value", "period_start", "period_end", "version", "created_at", "updated_at"]
        read_only_fields = ["version"]


class ContactPointSerializer(StrictModelSerializer[ContactPoint]):
    value = fields.TextField(max_length=254)

    class Meta:
        model = ContactPoint
        fields = ["id", "kind", "value", "use", "rank", "version", "created_at", "updated_at"]
        read_only_fields = ["version"]
        extra_kwargs = {"rank": {"min_value": 1, "max_value": 100}}
