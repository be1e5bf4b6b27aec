from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from appointments.filters import AppointmentSeriesFilterSet
from appointments.models import AppointmentSeries
from appointments.serializers.series import (
    AppointmentSeriesSerializer,
    SeriesBookingRequest,
    SeriesCancelRequest,
    SeriesPreviewRequest,
    SeriesPreviewSerializer,
    SeriesRescheduleRequest,
)
from appointments.services import series as services
from config.api.problem import Forbidden
from config.api.views import ListMixin, RetrieveMixin
from patients.signals import patient_data_read
from practices.tenancy import current_actor


class AppointmentSeriesViewSet(ListMixin[AppointmentSeries], RetrieveMixin[AppointmentSeries]):
    """Visits that repeat. They are booked all or none, unless asked to skip days that are taken."""

    queryset = AppointmentSeries.objects.select_related("patient", "provider")
    serializer_class = AppointmentSeriesSerializer
    read_serializer_class = AppointmentSeriesSerializer
    filterset_class = AppointmentSeriesFilterSet
    ordering = ("-created_at",)
    ordering_fields = ("created_at", "updated_at")

    def get_serializer_class(self) -> Any:
        return _REQUESTS.get(self.action, AppointmentSeriesSerializer)

    def get_object(self) -> AppointmentSeries:
        series = super().get_object()
        if self.action != "retrieve" and not series.patient.visible_to(current_actor()):
            raise Forbidden()
        return series

    def record_read(self, data: Any) -> None:
        rows: Sequence[dict[str, Any]] = data if isinstance(data, list) else [data]
        patient_data_read.send(AppointmentSeries, patient_ids=[row["patient"]["id"] for row in rows])

    def object_response(self, instance: Any, status: int = 200) -> Response:
        response = super().object_response(instance, status)
        self.record_read(response.data)
        return response

    @extend_schema(request=SeriesBookingRequest, responses={201: AppointmentSeriesSerializer})
    def create(self, request: Request) -> Response:
        body = self.validated()
        on_conflict = body.pop("on_conflict")
        booking = services.SeriesBooking(**body)
        series = services.book_series(booking, by=current_actor(), on_conflict=on_conflict)
        response = self.object_response(series, status=201)
        response["Location"] = f"{request.path}/{series.pk}"
        return response

    @extend_schema(request=SeriesPreviewRequest, responses=SeriesPreviewSerializer)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """Every day of the series with all conflicts of each. Books nothing."""
        zone, occurrences = services.preview_series(services.SeriesBooking(**self.validated()), by=current_actor())
        return Response({"time_zone": zone, "occurrences": [each.as_json() for each in occurrences]})

    @extend_schema(request=SeriesRescheduleRequest, responses=AppointmentSeriesSerializer)
    @action(detail=True, methods=["post"])
    def reschedule(self, request: Request, pk: str) -> Response:
        """Answers with the series that the moved visits belong to now: a new one, when earlier visits stay."""
        series, body = self.get_object(), self.validated()
        scope, visit, on_conflict = body.pop("scope"), body.pop("appointment", None), body.pop("on_conflict")
        renewed = services.reschedule_series(
            series,
            scope,
            services.SeriesMove(**body),
            appointment=visit,
            by=current_actor(),
            on_conflict=on_conflict,
        )
        return self.object_response(renewed)

    @extend_schema(request=SeriesCancelRequest, responses=AppointmentSeriesSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancels the visits that are still to come."""
        series, body = self.get_object(), self.validated()
        scope, visit = body.pop("scope"), body.pop("appointment", None)
        services.cancel_series(series, scope, appointment=visit, by=current_actor(), **body)
        return self.object_response(series)


_REQUESTS = {
    "create": SeriesBookingRequest,
    "preview": SeriesPreviewRequest,
    "reschedule": SeriesRescheduleRequest,
    "cancel": SeriesCancelRequest,
}
