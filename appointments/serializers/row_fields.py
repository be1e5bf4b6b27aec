"""What an appointment shows that follows from several columns, or depends on who may see the patient."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from appointments.models import Appointment
from appointments.transitions import Action, possible
from config.api.rows import RowField
from patients.models import Patient
from patients.querysets import sees_restricted
from practices.tenancy import current_scope


class PatientSummarySerializer(serializers.ModelSerializer[Patient]):
    class Meta:
        model = Patient
        fields = ("id", "given_name", "family_name", "mrn")
        read_only_fields = fields


def hides(restricted: bool) -> bool:
    """Whether the caller may know no more of the patient than that the time is taken."""
    scope = current_scope()
    return restricted and scope is not None and not sees_restricted(scope.actor)


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
        return {"id": values["id"], "given_name": "", "family_name": "", "mrn": ""} if hides(restricted) else values


@extend_schema_field(str)
class OverbookReasonField(RowField):
    row_columns: ClassVar[Mapping[str, str]] = {"text": "overbook_reason", "restricted": "patient__restricted"}

    def from_row(self, *, text: str = "", restricted: bool = False, **values: Any) -> str:
        return "" if hides(restricted) else text


@extend_schema_field(str)
class NotesField(RowField):
    row_columns: ClassVar[Mapping[str, str]] = {"text": "notes", "row_id": "id", "restricted": "patient__restricted"}

    def from_row(self, *, text: str = "", row_id: str = "", restricted: bool = False, **values: Any) -> str:
        field: Any = Appointment._meta.get_field("notes")
        return "" if hides(restricted) else field.from_json(text, row_id)

    def to_representation(self, value: Appointment) -> str:
        return "" if hides(value.patient.restricted) else value.notes


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
