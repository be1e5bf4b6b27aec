from typing import Any

import django_filters
from rest_framework.serializers import BaseSerializer

from config.api.filters import BooleanFilter, FilterSet
from config.api.views import CreateMixin, ListMixin, RetrieveMixin
from patients import services
from patients.models import Consent
from patients.models.consent import ConsentQuerySet
from patients.serializers.consents import ConsentSerializer
from patients.views.parts import PatientPartMixin, acting


class ConsentFilterSet(FilterSet):
    kind = django_filters.ChoiceFilter(choices=Consent.Kind.choices)
    current = BooleanFilter(method="by_current", label="Only what holds now, or only what no longer does.")

    class Meta:
        model = Consent
        fields = ["status"]

    def by_current(self, queryset: ConsentQuerySet, name: str, value: bool) -> Any:
        current = Consent.objects.current()
        return queryset.current() if value else queryset.exclude(pk__in=current.values("pk"))


class ConsentViewSet(PatientPartMixin, ListMixin[Any], RetrieveMixin[Any], CreateMixin[Any]):
    """Never edited: a consent that is taken back is one more record."""

    queryset = Consent.objects.all()
    serializer_class = ConsentSerializer
    filterset_class = ConsentFilterSet
    ordering = ("-at",)

    def perform_create(self, serializer: BaseSerializer[Any]) -> Consent:
        return services.record_consent(patient=self.patient, by=acting(), **serializer.validated_data)
