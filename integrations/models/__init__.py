from integrations.models.events import EventCounter, EventLog, WebSocketTicket
from integrations.models.idempotency_key import IdempotencyKey
from integrations.models.import_job import ImportJob, ImportRowError
from integrations.models.message import Message, MessageStatus
from integrations.models.message_template import MessageChannel, MessageKind, MessageTemplate
from integrations.models.patient_export import PatientExport
from integrations.models.stored_file import StoredFile

__all__ = [
    "EventCounter",
    "EventLog",
    "IdempotencyKey",
    "ImportJob",
    "ImportRowError",
    "Message",
    "MessageChannel",
    "MessageKind",
    "MessageStatus",
    "MessageTemplate",
    "PatientExport",
    "StoredFile",
    "WebSocketTicket",
]
