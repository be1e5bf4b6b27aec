from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer

from accounts.roles import Access, Area
from config.api.problem import NotFound
from config.api.views import CreateMixin, DestroyMixin, GenericViewSet, ListMixin, RetrieveMixin, UpdateMixin
from patients import services
from patients.models import Patient
from patients.signals import patient_data_read
from practices.tenancy import ANONYMOUS, Actor, current_scope


def acting() -> Actor:
    """Whoever the request's scope says; nobody while the contract is read off the views."""
    scope = current_scope()
    return scope.actor if scope else ANONYMOUS


class PatientPartMixin(GenericViewSet[Any]):
    """What hangs on one patient; under a patient who isn't visible there is nothing."""

    patient: Patient
    lock_later: ClassVar[frozenset[str]] = frozenset()
    """Actions whose service locks the patient itself, once what is slow has been done."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method != "OPTIONS":
            self.patient = self._patient()

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(patient_id=self.kwargs.get("patient_id")).select_related("patient")

    def record_read(self, data: Any) -> None:
        patient_data_read.send(self.get_queryset().model, patient_ids=[self.patient.pk])

    def _patient(self) -> Patient:
        """Locked before any row of theirs is, as merging does it: in the other order two could wait for each other."""
        visible = Patient.objects.visible_to(acting())
        if self.request.method not in SAFE_METHODS and self.action not in self.lock_later:
            visible = visible.select_for_update(of=("self",), no_key=True)
        patient: Patient | None = visible.filter(pk=self.kwargs["patient_id"]).first()
        if patient is None:
            raise NotFound()
        return patient


class AddsPart(PatientPartMixin, CreateMixin[Any]):
    def perform_create(self, serializer: BaseSerializer[Any]) -> Any:
        model: Any = self.get_queryset().model
        return services.add(row=model(patient=self.patient, **serializer.validated_data), by=acting())


class ChangesPart(PatientPartMixin, UpdateMixin[Any]):
    def perform_update(self, serializer: BaseSerializer[Any]) -> Any:
        row: Any = serializer.instance
        return services.change(row=row, by=acting(), **serializer.validated_data)


class RemovesPart(PatientPartMixin, DestroyMixin[Any]):
    """Removing such a row is an edit of the chart."""

    action_access: ClassVar[dict[str, tuple[str, Access]]] = {"destroy": (Area.PATIENTS, Access.WRITE)}

    def perform_destroy(self, instance: Any) -> None:
        services.remove(row=instance, by=acting())


class KeptPatientPartViewSet(AddsPart, ChangesPart, ListMixin[Any], RetrieveMixin[Any]):
    """For what is never deleted, whose status says what became of it."""


class PatientPartViewSet(KeptPatientPartViewSet, RemovesPart):
    """For what may go without a trace but the audit log's."""
