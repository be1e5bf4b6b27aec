from collections.abc import Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.export import MAX_EVENTS, CsvRenderer, NdjsonRenderer, TooManyEvents
from audit.filters import AccessFilterSet, AuditEventFilterSet
from audit.models import AuditEvent
from audit.querysets import AuditEventQuerySet
from audit.recording import record
from audit.serializers import AuditEventSerializer
from config.api.problem import NotFound
from config.api.views import ListMixin, ReadOnlyModelViewSet
from patients.models import Patient

ENTITY = AuditEvent._meta.label_lower


class AuditEventViewSet(ReadOnlyModelViewSet[AuditEvent]):
    """Who did what in the practice, newest first. Reading it leaves an event, too, which names the patients of whom
    changes were shown.
    """

    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
    filterset_class = AuditEventFilterSet

    def record_read(self, data: Any) -> None:
        rows: Sequence[dict[str, Any]] = data if isinstance(data, list) else [data]
        record(AuditEvent.Action.READ, ENTITY, patient_ids=_shown(rows))

    @extend_schema(
        operation_id="audit_events_export",
        responses={(200, NdjsonRenderer.media_type): str, (200, CsvRenderer.media_type): str},
    )
    @action(
        detail=False,
        lists=True,
        url_path="export",
        pagination_class=None,
        renderer_classes=[NdjsonRenderer, CsvRenderer],
    )
    def export(self, request: Request) -> Response:
        """The filtered log as a file: a JSON object a line, or with `Accept: text/csv` a table. 400 `too_many_events`
        beyond 20,000 events. Leaves an event that tells how many were taken.
        """
        events = self.filter_queryset(self.get_queryset())
        if events[MAX_EVENTS:][:1].exists():
            raise TooManyEvents()
        rows, _ = self.rows_of(events)
        record(AuditEvent.Action.EXPORT, ENTITY, patient_ids=_shown(rows), changes={"events": [None, len(rows)]})
        suffix = request.accepted_renderer.format
        return Response(rows, headers={"Content-Disposition": f'attachment; filename="audit-events.{suffix}"'})


class AccessLogViewSet(ListMixin[AuditEvent]):
    """Who read or changed a patient's data, newest first. Reading this leaves an event of the patient's, too."""

    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
    filterset_class = AccessFilterSet
    ordering = ("-id",)  # as they were recorded: the index by patient is in that order

    def get_queryset(self) -> AuditEventQuerySet[AuditEvent]:
        events: AuditEventQuerySet[AuditEvent] = AuditEvent.objects.about_patient(UUID(self.kwargs["patient_id"]))
        return events

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        if not Patient.objects.filter(pk=self.kwargs["patient_id"]).exists():
            raise NotFound()
        return super().list(request, *args, **kwargs)

    def record_read(self, data: Any) -> None:
        record(AuditEvent.Action.READ, ENTITY, patient_ids={UUID(self.kwargs["patient_id"]), *_shown(data)})


def _shown(rows: Sequence[dict[str, Any]]) -> dict[UUID, None]:
    """The patients of whom changes are told."""
    return dict.fromkeys(UUID(str(patient)) for row in rows if row["changes"] for patient in row["patients"])
