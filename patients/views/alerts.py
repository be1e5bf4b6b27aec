from typing import ClassVar

from django.db.models import QuerySet

from patients.models import Alert
from patients.models.alert import AlertQuerySet
from patients.serializers.alerts import AlertSerializer
from patients.views.parts import KeptPatientPartViewSet, acting


class AlertViewSet(KeptPatientPartViewSet):
    """Never deleted: one that was wrong is entered in error."""

    queryset = Alert.objects.all()
    serializer_class = AlertSerializer
    filterset_fields: ClassVar[list[str]] = ["status", "severity"]

    def get_queryset(self) -> "QuerySet[Alert]":
        alerts: AlertQuerySet = super().get_queryset()  # type: ignore[assignment]  # its manager's
        return alerts.visible_to(acting())
