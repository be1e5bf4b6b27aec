from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field

from config.api import fields
from config.api.rows import RowField
from config.api.serializers import StrictModelSerializer
from patients.models import ContactPoint, Patient
from patients.querysets import primary_contacts_sql

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


@extend_schema_field({"type": ["string", "null"]})
class PrimaryContactField(RowField):
    """The value of the first contact point in use of a kind. Two of them read the contact points once."""

    row_columns: ClassVar[Mapping[str, str]] = {"primary": primary_contacts_sql("t")}

    def __init__(self, kind: ContactPoint.Kind, **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(**kwargs)

    def from_row(self, primary: dict[str, list[str]] | None = None, **values: Any) -> str | None:
        found = primary.get(self.kind) if primary else None
        if found is None:
            return None
        field: Any = ContactPoint._meta.get_field("value")
        text: str | None = field.from_json(found[1], found[0])
        return text

    def from_object(self, instance: Patient) -> str | None:
        return instance.phone if self.kind == ContactPoint.Kind.PHONE else instance.email


class PatientSerializer(StrictModelSerializer[Patient]):
    phone = PrimaryContactField(ContactPoint.Kind.PHONE, help_text="The primary one, in E.164.")
    email = PrimaryContactField(ContactPoint.Kind.EMAIL, help_text="The primary one.")

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
