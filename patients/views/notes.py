from typing import Any, ClassVar, cast

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.roles import Access, Area
from config.api.serializers import NoBody
from config.api.views import ModelViewSet
from patients import services
from patients.models import PatientNote
from patients.serializers.notes import NoteSerializer, NoteUpdateSerializer
from patients.views.parts import PatientPartMixin, acting


class NoteViewSet(PatientPartMixin, ModelViewSet[Any]):
    """Deleting discards a draft."""

    queryset = PatientNote.objects.all()
    serializer_class = NoteSerializer
    read_serializer_class = NoteSerializer
    action_access: ClassVar[dict[str, tuple[str, Access]]] = {"destroy": (Area.NOTES, Access.WRITE)}
    ordering = ("-created_at",)

    def is_own(self, row: PatientNote) -> bool:
        return row.is_of(acting())

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return NoteUpdateSerializer if self.action == "partial_update" else super().get_serializer_class()

    def perform_create(self, serializer: BaseSerializer[Any]) -> PatientNote:
        return services.write_note(patient=self.patient, by=acting(), **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[Any]) -> PatientNote:
        note = cast("PatientNote", serializer.instance)
        return services.change_note(note=note, by=acting(), **serializer.validated_data)

    def perform_destroy(self, instance: PatientNote) -> None:
        services.discard_note(note=instance, by=acting())

    @action(detail=True, methods=["post"], serializer_class=NoBody)
    def sign(self, request: Request, patient_id: str, pk: str) -> Response:
        return self.object_response(services.sign_note(note=self.get_object(), by=acting()))
