from collections.abc import Sequence
from typing import Any
from uuid import UUID

from audit.filters import AuditEventFilterSet
from audit.models import AuditEvent
from audit.recording import record
from audit.serializers import AuditEventSerializer
from config.api.views import ReadOnlyModelViewSet


class AuditEventViewSet(ReadOnlyModelViewSet[AuditEvent]):
    """Who did what in the practice, newest first. Reading it leaves an event, too, which names the patients of whom
    changes were shown.
    """

    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
    filterset_class = AuditEventFilterSet

    def record_read(self, data: Any) -> None:
        rows: Sequence[dict[str, Any]] = data if isinstance(data, list) else [data]
        shown = dict.fromkeys(UUID(str(patient)) for row in rows if row["changes"] for patient in row["patients"])
        record(AuditEvent.Action.READ, AuditEvent._meta.label_lower, patient_ids=shown)
