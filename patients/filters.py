from typing import Any
from uuid import UUID

import django_filters
from django.core.exceptions import ValidationError

from config.api.filters import ChoiceInFilter, DateFilter, IdFilter, UpdatedSinceFilterSet
from patients.contact_values import normalised_email, normalised_phone, region
from patients.models import ContactPoint, Patient, PatientIdentifier, PatientTag
from patients.querysets import PatientQuerySet


class PatientFilterSet(UpdatedSinceFilterSet):
    """Exact look-ups but for `search`; what can't be a number or an address finds nobody."""

    mrn = django_filters.CharFilter(method="by_mrn", label="A whole number, capitals or not.")
    search = django_filters.CharFilter(method="by_name", label="Beginnings of words of a name, in any order.")
    birth_date = DateFilter()
    phone = django_filters.CharFilter(method="by_phone", label="A whole number; without country code: the practice's.")
    email = django_filters.CharFilter(method="by_email", label="A whole address.")
    identifier = django_filters.CharFilter(method="by_identifier", label="A whole identifier, of any type.")
    tag = IdFilter(method="by_tag", label="Who has this tag.")
    status__in = ChoiceInFilter(field_name="status", choices=Patient.Status.choices)

    class Meta:
        model = Patient
        fields = ["status"]

    def by_mrn(self, queryset: PatientQuerySet, name: str, value: str) -> PatientQuerySet:
        return queryset.of_mrn(value)

    def by_name(self, queryset: PatientQuerySet, name: str, value: str) -> PatientQuerySet:
        return queryset.search(value)

    def by_phone(self, queryset: PatientQuerySet, name: str, value: str) -> PatientQuerySet:
        try:
            number = normalised_phone(value, region())
        except ValidationError:
            return queryset.none()
        return self._with(queryset, ContactPoint.objects.of_value(number))

    def by_email(self, queryset: PatientQuerySet, name: str, value: str) -> PatientQuerySet:
        try:
            address = normalised_email(value)
        except ValidationError:
            return queryset.none()
        return self._with(queryset, ContactPoint.objects.of_value(address))

    def by_identifier(self, queryset: PatientQuerySet, name: str, value: str) -> PatientQuerySet:
        return self._with(queryset, PatientIdentifier.objects.of_value(value))

    def by_tag(self, queryset: PatientQuerySet, name: str, value: UUID) -> PatientQuerySet:
        return self._with(queryset, PatientTag.objects.filter(tag_id=value))

    def _with(self, queryset: PatientQuerySet, rows: Any) -> PatientQuerySet:
        return queryset.filter(pk__in=rows.values("patient_id"))
