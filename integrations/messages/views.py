from typing import Any

from django.db.models import QuerySet

from config.api.filters import ChoiceInFilter, FilterSet, InstantFilter
from config.api.views import ModelViewSet, ReadOnlyModelViewSet
from integrations.messages.serializers import MessageSerializer, MessageTemplateSerializer
from integrations.models import Message, MessageStatus, MessageTemplate
from patients.signals import patient_data_read
from practices.tenancy import current_scope


class MessageFilterSet(FilterSet):
    status__in = ChoiceInFilter(field_name="status", choices=MessageStatus.choices)
    created_at__gte = InstantFilter(field_name="created_at", lookup_expr="gte")
    created_at__lt = InstantFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Message
        fields = ["kind", "channel", "status", "patient", "appointment"]


class MessageViewSet(ReadOnlyModelViewSet[Message]):
    """What was sent to patients, newest first."""

    queryset = Message.objects.all()
    serializer_class = MessageSerializer
    filterset_class = MessageFilterSet

    def get_queryset(self) -> "QuerySet[Message]":
        scope = current_scope()
        rows = Message.objects
        visible: QuerySet[Message] = rows.visible_to(scope.actor) if scope else rows.all()
        return visible

    def record_read(self, data: Any) -> None:
        rows = data if isinstance(data, list) else [data]
        if rows:
            patient_data_read.send(Message, patient_ids=[row["patient"] for row in rows])


class MessageTemplateViewSet(ModelViewSet[MessageTemplate]):
    """The wording of the messages that patients get."""

    queryset = MessageTemplate.objects.all()
    serializer_class = MessageTemplateSerializer
    filterset_fields = ("kind", "channel", "active")
