import os
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

from tests.benchmarks.drf.models import (
    Appointment,
    AuditEvent,
    ContactPoint,
    Membership,
    Patient,
    PatientName,
    PracticeKey,
    Provider,
)
from tests.benchmarks.peer import encryption
from tests.benchmarks.peer.transitions import TRANSITIONS

LAST_CHARACTER = "\U0010ffff"
SEES_RESTRICTED = frozenset({"owner", "admin"})


class PatientSerializer(serializers.ModelSerializer[Patient]):
    phone = serializers.SerializerMethodField()
    email = serializers.SerializerMethodField()

    class Meta:
        model = Patient
        exclude = ["practice_id", "sort_name"]

    def get_phone(self, patient: Patient) -> str | None:
        return self._primary(patient, "phone")

    def get_email(self, patient: Patient) -> str | None:
        return self._primary(patient, "email")

    def _primary(self, patient: Patient, kind: str) -> str | None:
        contact = next((each for each in patient.contacts.all() if each.kind == kind and each.use != "old"), None)
        if contact is None:
            return None
        return revealed(contact.practice_id, "patients_contactpoint", "value", contact.pk, contact.value)


class PatientSummary(serializers.ModelSerializer[Patient]):
    class Meta:
        model = Patient
        fields = ["id", "given_name", "family_name", "mrn"]


class ProviderSummary(serializers.ModelSerializer[Provider]):
    class Meta:
        model = Provider
        fields = ["id", "display_name"]


class AppointmentSerializer(serializers.ModelSerializer[Appointment]):
    patient = PatientSummary()
    provider = ProviderSummary()
    flow_stage = serializers.SerializerMethodField()
    notes = serializers.SerializerMethodField()
    allowed_transitions = serializers.SerializerMethodField()

    class Meta:
        model = Appointment
        exclude = ["practice_id"]

    def get_flow_stage(self, visit: Appointment) -> str | None:
        return visit.flow_stage or None

    def get_notes(self, visit: Appointment) -> str:
        if not visit.notes:
            return ""
        return revealed(visit.practice_id, "appointments_appointment", "notes", visit.pk, visit.notes)

    def get_allowed_transitions(self, visit: Appointment) -> list[str]:
        now = timezone.now()
        later = visit.start is None or visit.start > now
        return [action for action in TRANSITIONS[visit.status] if action != "no-show" or not later]


class ByName(CursorPagination):
    page_size = 50
    ordering = ("sort_name", "id")


class ByStart(CursorPagination):
    page_size = 50
    ordering = ("start", "id")


class PracticeViewSet(ModelViewSet[Any]):
    membership: Membership
    entity = ""

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(practice_id=self.membership.practice_id)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().list(request, *args, **kwargs)
        self.record(request, response.data["results"])
        return response

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().retrieve(request, *args, **kwargs)
        self.record(request, [response.data])
        return response

    def record(self, request: Request, rows: Any) -> None:
        patients = {row["patient"]["id"] if "patient" in row else row["id"] for row in rows}
        AuditEvent.objects.create(
            practice_id=self.membership.practice_id,
            at=timezone.now(),
            actor_id=request.user.pk,
            actor_label=str(request.user),
            roles=self.membership.roles,
            action="read",
            entity=self.entity,
            patient_ids=list(patients),
            ip=request.META["REMOTE_ADDR"],
            operation=f"{request.method} {self.action}",
        )


class PatientViewSet(PracticeViewSet):
    queryset = Patient.objects.all()
    serializer_class = PatientSerializer
    pagination_class = ByName
    entity = "patients.patient"

    def get_queryset(self) -> QuerySet[Patient]:
        patients = super().get_queryset()
        if SEES_RESTRICTED.isdisjoint(self.membership.roles):
            patients = patients.filter(restricted=False)
        for word in self.request.query_params.get("search", "").split():
            found = PatientName.objects.filter(practice_id=self.membership.practice_id)
            found = found.filter(word__gte=word, word__lt=word + LAST_CHARACTER)
            patients = patients.filter(id__in=found.values("patient_id"))
        contacts = ContactPoint.objects.filter(practice_id=self.membership.practice_id)
        return patients.prefetch_related(Prefetch("contacts", queryset=contacts))


class AppointmentViewSet(PracticeViewSet):
    queryset = Appointment.objects.select_related("patient", "provider")
    serializer_class = AppointmentSerializer
    pagination_class = ByStart
    filter_backends = [DjangoFilterBackend]
    filterset_fields = {"start": ["gte", "lt"], "provider": ["exact"], "location": ["exact"]}
    entity = "appointments.appointment"


def revealed(practice_id: UUID, table: str, column: str, row_id: UUID, sealed: str) -> str:
    ring = encryption.ring_of(practice_id)
    if ring is None:
        keys = PracticeKey.objects.filter(practice_id=practice_id, kind="data").exclude(wrapped="")
        rows = keys.values_list("number", "wrapped")
        ring = encryption.remember(practice_id, rows, os.environ["FIELD_ENCRYPTION_KEYS"])
    return encryption.reveal(ring, practice_id, table, column, row_id, sealed)
