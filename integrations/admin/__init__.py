from integrations.admin.documents import PatientDocumentAdmin
from integrations.admin.messages import MessageAdmin, MessageTemplateAdmin

__all__ = ["MessageAdmin", "MessageTemplateAdmin", "PatientDocumentAdmin"]
