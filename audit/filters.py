from typing import Any
from uuid import UUID

import django_filters

from audit.models import AuditEvent
from config.api.filters import FilterSet, IdFilter, InstantFilter


class PatientFilter(IdFilter):
    def filter(self, qs: Any, value: UUID | None) -> Any:
        return qs if value is None else qs.pages_about_patient(value)


class AccessFilterSet(FilterSet):
    actor = IdFilter(field_name="actor_id", label="The user who acted.")
    action = django_filters.ChoiceFilter(choices=AuditEvent.Action.choices)

    class Meta:
        model = AuditEvent
        fields: list[str] = []

    @classmethod
    def get_filters(cls) -> Any:
        """`from` is a word of Python's, so it can't be declared as an attribute."""
        filters = super().get_filters()
        filters["from"] = InstantFilter(field_name="at", lookup_expr="gte", label="At or after this instant.")
        filters["to"] = InstantFilter(field_name="at", lookup_expr="lt", label="Before this instant.")
        return filters


class AuditEventFilterSet(AccessFilterSet):
    patient = PatientFilter(label="A patient whose data was read or written.")
    entity = django_filters.CharFilter(max_length=100, label="What was acted on, such as patients.patient.")
    entity_id = IdFilter(label="The row that was acted on.")
