from integrations.models.message_template import MessageChannel, MessageKind, MessageTemplate

__all__ = ["MessageChannel", "MessageKind", "MessageTemplate"]
