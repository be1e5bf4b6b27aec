"""What an appointment shows that follows from several columns, or depends on who may see the patient."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.permissions import may
from accounts.roles import Access, Area
from appointments.models import Appointment
from appointments.transitions import Action, possible
from config.api.fields import MultilineField
from config.api.problem import Forbidden
from config.api.rows import ABSENT, Absent, RowField
from patients import access
from patients.models import Patient
from practices.tenancy import current_scope


class PatientSummarySerializer(serializers.ModelSerializer[Patient]):
    """Of a restricted patient whom the caller may not see, the id alone."""

    may_be_absent = ("given_name", "family_name", "mrn")

    class Meta:
        model = Patient
        fields = ("id", "given_name", "family_name", "mrn")
        read_only_fields = fields


def hides(restricted: bool, patient: str | UUID) -> bool:
    """Whether the caller may know no more of the patient than that the time is taken."""
    return restricted and (scope := current_scope()) is not None and access.hides(patient, scope.actor)


@extend_schema_field(PatientSummarySerializer)
class PatientSummaryField(RowField):
    row_columns: ClassVar[Mapping[str, str]] = {
        "id": "patient_id",
        "given_name": "patient__given_name",
        "family_name": "patient__family_name",
        "mrn": "patient__mrn",
        "restricted": "patient__restricted",
    }

    def from_row(self, *, restricted: bool = False, **values: Any) -> dict[str, Any]:
        return {"id": values["id"]} if hides(restricted, values["id"]) else values


@extend_schema_field(str)
class OverbookReasonField(RowField):
    may_be_absent = True
    row_columns: ClassVar[Mapping[str, str]] = {
        "text": "overbook_reason",
        "patient": "patient_id",
        "restricted": "patient__restricted",
    }

    def from_row(self, *, text: str = "", patient: str = "", restricted: bool = False, **values: Any) -> str | Absent:
        return ABSENT if hides(restricted, patient) else text


@extend_schema_field(str)
class NotesField(RowField):
    may_be_absent = True
    row_columns: ClassVar[Mapping[str, str]] = {
        "text": "notes",
        "row_id": "id",
        "patient": "patient_id",
        "restricted": "patient__restricted",
    }

    def from_row(
        self, *, text: str = "", row_id: str = "", patient: str = "", restricted: bool = False, **values: Any
    ) -> str | Absent:
        if hides(restricted, patient) or not may(Area.BOOKING_NOTES, Access.READ):
            return ABSENT
        field: Any = Appointment._meta.get_field("notes")
        opened: str = field.from_json(text, row_id)
        return opened

    def from_object(self, instance: Appointment) -> str | Absent:
        readable = may(Area.BOOKING_NOTES, Access.READ) and not hides(instance.patient.restricted, instance.patient_id)
        return instance.notes if readable else ABSENT


class NotesInputField(MultilineField):
    """Notes are written by those who read them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "allow_blank": True, "max_length": 10_000, **kwargs})

    def to_internal_value(self, data: Any) -> Any:
        if not may(Area.BOOKING_NOTES, Access.WRITE):
            raise Forbidden("Your role doesn't allow writing notes.")
        return super().to_internal_value(data)


@extend_schema_field({"type": "array", "items": {"type": "string", "enum": Action.values}})
class AllowedTransitionsField(RowField):
    row_columns: ClassVar[Mapping[str, str]] = {
        "status": "status",
        "start": "start",
        "hold_expires_at": "hold_expires_at",
    }

    def from_row(
        self, *, status: str = "", start: str | None = None, hold_expires_at: str | None = None, **values: Any
    ) -> list[str]:
        return possible(status, _instant(start), _instant(hold_expires_at), timezone.now())


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
