from integrations.admin.documents import PatientDocumentAdmin
from integrations.admin.exports import PatientExportAdmin
from integrations.admin.imports import ImportJobAdmin, ImportRowErrorAdmin
from integrations.admin.messages import MessageAdmin, MessageTemplateAdmin

__all__ = [
    "ImportJobAdmin",
    "ImportRowErrorAdmin",
    "MessageAdmin",
    "MessageTemplateAdmin",
    "PatientDocumentAdmin",
    "PatientExportAdmin",
]
