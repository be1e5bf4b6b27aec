from config.api import fields
from config.api.serializers import StrictModelSerializer, StrictSerializer
from integrations.models import EventLog


class EventSerializer(StrictModelSerializer[EventLog]):
    """One change: which object, never what it holds."""

    id = fields.UUIDField(source="entity_id", read_only=True, help_text="Of the changed object.")
    at = fields.InstantField(source="created_at", read_only=True)

    class Meta:
        model = EventLog
        fields = ("seq", "type", "id", "version", "at")
        read_only_fields = fields


class WebSocketTicketSerializer(StrictSerializer):
    ticket = fields.TextField(help_text="Opens `/ws/v1/events?ticket=` once.")
    expires_in = fields.IntegerField(help_text="Seconds.")
