from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from appointments import services
from appointments.filters import AppointmentFilterSet
from appointments.models import Appointment
from appointments.serializers import (
    AppointmentPatchSerializer,
    AppointmentSerializer,
    BookingSerializer,
    CancelSerializer,
    PlaceSerializer,
    ReasonSerializer,
    RescheduleSerializer,
    StatusEventSerializer,
)
from appointments.serializers.reminders import ReminderSerializer
from appointments.transitions import Action
from config.api.problem import Forbidden
from config.api.rows import from_memory
from config.api.views import ListMixin, RetrieveMixin, UpdateMixin
from patients.signals import patient_data_read
from practices.tenancy import current_actor


class AppointmentViewSet(ListMixin[Appointment], RetrieveMixin[Appointment], UpdateMixin[Appointment]):
    """Visits. Booked here, moved and ended by actions; PATCH edits only notes and the flow stage."""

    queryset = Appointment.objects.with_people()
    serializer_class = AppointmentSerializer
    read_serializer_class = AppointmentSerializer
    filterset_class = AppointmentFilterSet
    ordering = ("start",)
    ordering_fields = ("start", "created_at", "updated_at")

    def get_serializer_class(self) -> Any:
        return _REQUESTS.get(self.action, AppointmentSerializer)

    def get_object(self) -> Appointment:
        """Who can't see the patient sees that the time is taken, and does nothing with the visit."""
        appointment = super().get_object()
        if self.action != "retrieve" and not appointment.patient.visible_to(current_actor()):
            raise Forbidden()
        return appointment

    def record_read(self, data: Any) -> None:
        rows: Sequence[dict[str, Any]] = data if isinstance(data, list) else [data]
        patient_data_read.send(Appointment, patient_ids=[row["patient"]["id"] for row in rows])

    def object_response(self, instance: Any, status: int = 200) -> Response:
        response = super().object_response(instance, status)
        self.record_read(response.data)
        return response

    @extend_schema(request=BookingSerializer, responses={201: AppointmentSerializer, 200: PlaceSerializer})
    def create(self, request: Request) -> Response:
        body = self.validated()
        dry_run, any_provider = body.pop("dry_run"), body.pop("any_provider")
        by = current_actor()
        if dry_run:
            return Response(PlaceSerializer(services.preview(body, any_provider=any_provider, by=by)).data)
        appointment = services.book_for(body, any_provider=any_provider, by=by)
        data = from_memory(appointment, AppointmentSerializer)
        self.record_read(data)
        return Response(data, status=201, headers={"Location": f"{request.path}/{appointment.pk}"})

    @extend_schema(request=AppointmentPatchSerializer, responses=AppointmentSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().partial_update(request, *args, **kwargs)

    @extend_schema(request=RescheduleSerializer, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"])
    def reschedule(self, request: Request, pk: str) -> Response:
        appointment = self.get_object()
        move = services.Move(**self.validated())
        return self.object_response(services.move(appointment, move, by=current_actor()))

    @extend_schema(request=CancelSerializer, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        appointment = self.get_object()
        return self.object_response(services.cancel(appointment, by=current_actor(), **self.validated()))

    @extend_schema(request=ReasonSerializer, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        return self._change(Action.CONFIRM)

    @extend_schema(request=ReasonSerializer, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"])
    def arrive(self, request: Request, pk: str) -> Response:
        return self._change(Action.ARRIVE)

    @extend_schema(request=ReasonSerializer, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"], url_path="check-in")
    def check_in(self, request: Request, pk: str) -> Response:
        return self._change(Action.CHECK_IN)

    @extend_schema(request=ReasonSerializer, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"])
    def fulfill(self, request: Request, pk: str) -> Response:
        return self._change(Action.FULFILL)

    @extend_schema(request=ReasonSerializer, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"], url_path="no-show")
    def no_show(self, request: Request, pk: str) -> Response:
        return self._change(Action.NO_SHOW)

    @extend_schema(request=ReasonSerializer, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        return self._change(Action.UNDO)

    @extend_schema(request=ReasonSerializer, responses=AppointmentSerializer)
    @action(detail=True, methods=["post"], url_path="enter-in-error")
    def enter_in_error(self, request: Request, pk: str) -> Response:
        return self._change(Action.ENTER_IN_ERROR)

    @extend_schema(responses=StatusEventSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None)
    def history(self, request: Request, pk: str) -> Response:
        """What happened to the appointment, oldest first."""
        appointment = self.get_object()
        patient_data_read.send(Appointment, patient_ids=[appointment.patient_id])
        return Response(StatusEventSerializer(appointment.status_events.all(), many=True).data)

    @extend_schema(responses=ReminderSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None)
    def reminders(self, request: Request, pk: str) -> Response:
        """When the patient is reminded, and what became of it."""
        appointment = self.get_object()
        patient_data_read.send(Appointment, patient_ids=[appointment.patient_id])
        return Response(ReminderSerializer(appointment.reminders.all(), many=True).data)

    def _change(self, action: Action) -> Response:
        appointment = self.get_object()
        reason = self.validated()["reason"]
        return self.object_response(services.change_status(appointment, action, by=current_actor(), reason=reason))


_REQUESTS = {
    "create": BookingSerializer,
    "partial_update": AppointmentPatchSerializer,
    "reschedule": RescheduleSerializer,
    "cancel": CancelSerializer,
    **dict.fromkeys(
        ("confirm", "arrive", "check_in", "fulfill", "no_show", "undo", "enter_in_error"), ReasonSerializer
    ),
}
