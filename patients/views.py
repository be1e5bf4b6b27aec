from typing import Any, ClassVar, cast
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.roles import Access, Area
from config.api.problem import NotFound
from config.api.serializers import NoBody
from config.api.views import ArchivedModelViewSet, ModelViewSet
from patients import services
from patients.filters import PatientFilterSet
from patients.models import ContactPoint, Patient, PatientIdentifier
from patients.problems import PossibleDuplicate
from patients.querysets import PatientQuerySet
from patients.serializers import (
    ContactPointSerializer,
    PatientCreateSerializer,
    PatientIdentifierSerializer,
    PatientSerializer,
    PatientUpdateSerializer,
)
from patients.signals import patient_data_read
from practices.tenancy import ANONYMOUS, Actor, current_scope


def acting() -> Actor:
    """Whoever the request's scope says; nobody while the contract is read off the views."""
    scope = current_scope()
    return scope.actor if scope else ANONYMOUS


class PatientViewSet(ArchivedModelViewSet[Patient]):
    queryset = Patient.objects.all()
    serializer_class = PatientSerializer
    read_serializer_class = PatientSerializer
    filterset_class = PatientFilterSet
    ordering_fields: ClassVar[dict[str, tuple[str, ...]]] = {
        "name": ("sort_name",),
        "birth_date": ("birth_date",),
        "updated_at": ("updated_at",),
    }
    ordering = ("sort_name",)

    def get_queryset(self) -> PatientQuerySet:
        visible: PatientQuerySet = Patient.objects.visible_to(acting())
        return visible

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        by_action = {"create": PatientCreateSerializer, "partial_update": PatientUpdateSerializer}
        return by_action.get(self.action, super().get_serializer_class())

    def perform_create(self, serializer: BaseSerializer[Patient]) -> Patient:
        try:
            return services.create_patient(by=acting(), **serializer.validated_data)
        except PossibleDuplicate as refusal:
            self.record_read(refusal.members["candidates"])
            raise

    def perform_update(self, serializer: BaseSerializer[Patient]) -> Patient:
        patient = cast("Patient", serializer.instance)
        return services.update_patient(patient=patient, by=acting(), **serializer.validated_data)

    def record_read(self, data: Any) -> None:
        rows = data if isinstance(data, list) else [data]
        if rows:
            patient_data_read.send(Patient, patient_ids=[UUID(str(row["id"])) for row in rows])

    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def archive(self, request: Request, pk: str) -> Response:
        return self.object_response(services.archive(patient=self.get_object(), by=acting()))

    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def unarchive(self, request: Request, pk: str) -> Response:
        return self.object_response(services.unarchive(patient=self.get_object(), by=acting()))


class _PatientPartViewSet(ModelViewSet[Any]):
    """What hangs on one patient; under a patient who isn't visible there is nothing."""

    action_access: ClassVar[dict[str, tuple[str, Access]]] = {"destroy": (Area.PATIENTS, Access.WRITE)}
    patient: Patient

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method != "OPTIONS":
            self.patient = self._patient()

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(patient_id=self.kwargs.get("patient_id")).select_related("patient")

    def perform_destroy(self, instance: ContactPoint | PatientIdentifier) -> None:
        services.remove(row=instance, by=acting())

    def record_read(self, data: Any) -> None:
        patient_data_read.send(self.get_queryset().model, patient_ids=[self.patient.pk])

    def _patient(self) -> Patient:
        patient: Patient | None = Patient.objects.visible_to(acting()).filter(pk=self.kwargs["patient_id"]).first()
        if patient is None:
            raise NotFound()
        return patient


class PatientIdentifierViewSet(_PatientPartViewSet):
    queryset = PatientIdentifier.objects.all()
    serializer_class = PatientIdentifierSerializer
    filterset_fields: ClassVar[list[str]] = ["type"]

    def perform_create(self, serializer: BaseSerializer[Any]) -> PatientIdentifier:
        return services.add_identifier(patient=self.patient, by=acting(), **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[Any]) -> PatientIdentifier:
        return services.change_identifier(
            identifier=cast("PatientIdentifier", serializer.instance), by=acting(), **serializer.validated_data
        )


class ContactPointViewSet(_PatientPartViewSet):
    queryset = ContactPoint.objects.all()
    serializer_class = ContactPointSerializer
    filterset_fields: ClassVar[list[str]] = ["kind", "use"]

    def perform_create(self, serializer: BaseSerializer[Any]) -> ContactPoint:
        return services.add_contact(patient=self.patient, by=acting(), **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[Any]) -> ContactPoint:
        return services.change_contact(
            contact=cast("ContactPoint", serializer.instance), by=acting(), **serializer.validated_data
        )
