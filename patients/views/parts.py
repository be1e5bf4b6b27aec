from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.request import Request

from accounts.roles import Access, Area
from config.api.problem import NotFound
from config.api.views import GenericViewSet, ModelViewSet
from patients import services
from patients.models import ContactPoint, Patient, PatientIdentifier
from patients.signals import patient_data_read
from practices.tenancy import ANONYMOUS, Actor, current_scope


def acting() -> Actor:
    """Whoever the request's scope says; nobody while the contract is read off the views."""
    scope = current_scope()
    return scope.actor if scope else ANONYMOUS


class PatientPartMixin(GenericViewSet[Any]):
    """What hangs on one patient; under a patient who isn't visible there is nothing."""

    patient: Patient

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method != "OPTIONS":
            self.patient = self._patient()

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(patient_id=self.kwargs.get("patient_id")).select_related("patient")

    def record_read(self, data: Any) -> None:
        patient_data_read.send(self.get_queryset().model, patient_ids=[self.patient.pk])

    def _patient(self) -> Patient:
        patient: Patient | None = Patient.objects.visible_to(acting()).filter(pk=self.kwargs["patient_id"]).first()
        if patient is None:
            raise NotFound()
        return patient


class PatientPartViewSet(PatientPartMixin, ModelViewSet[Any]):
    """Removing such a row is an edit of the chart."""

    action_access: ClassVar[dict[str, tuple[str, Access]]] = {"destroy": (Area.PATIENTS, Access.WRITE)}

    def perform_destroy(self, instance: ContactPoint | PatientIdentifier) -> None:
        services.remove(row=instance, by=acting())
