from integrations.models.idempotency_key import IdempotencyKey
from integrations.models.message_template import MessageChannel, MessageKind, MessageTemplate

__all__ = ["IdempotencyKey", "MessageChannel", "MessageKind", "MessageTemplate"]
