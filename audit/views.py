from typing import Any

from audit.filters import AuditEventFilterSet
from audit.models import AuditEvent
from audit.recording import record
from audit.serializers import AuditEventSerializer
from config.api.views import ReadOnlyModelViewSet


class AuditEventViewSet(ReadOnlyModelViewSet[AuditEvent]):
    """Who did what in the practice, newest first. Reading it leaves an event, too."""

    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
    filterset_class = AuditEventFilterSet

    def record_read(self, data: Any) -> None:
        record(AuditEvent.Action.READ, AuditEvent._meta.label_lower)
