from typing import Any, NoReturn, TypeVar
from uuid import UUID

from django.db import models
from django.db.models.expressions import RawSQL

from practices.querysets import TenantManager, TenantQuerySet

_ABOUT_PATIENT = """
SELECT event_id FROM audit_event_patient WHERE patient_id = %s
UNION ALL
SELECT id FROM audit_auditevent WHERE patient_ids @> ARRAY[%s]::uuid[] AND xid >= audit_sealed_until()
"""
ModelT_co = TypeVar("ModelT_co", bound=models.Model, covariant=True)


class AppendOnly(TypeError):
    """Audit events are written by what happens, and never changed or deleted. PostgreSQL refuses it too."""


class AppendOnlyQuerySet(models.QuerySet[ModelT_co]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def _raw_delete(self, using: str | None) -> NoReturn:
        raise AppendOnly


class AuditEventQuerySet(  # type: ignore[override]  # the plugin's as_manager() of two bases
    AppendOnlyQuerySet[ModelT_co], TenantQuerySet[ModelT_co]
):
    def about_patient(self, patient_id: UUID) -> "AuditEventQuerySet[ModelT_co]":
        """Events that read or wrote this patient's data.

        Sealed ones are found by index, which an array's operators can't use here; the last second's are all looked at.
        """
        return self.filter(pk__in=RawSQL(_ABOUT_PATIENT, [patient_id, patient_id]))  # noqa: S611  # a constant and ids


class AuditEventManager(TenantManager.from_queryset(AuditEventQuerySet)):  # type: ignore[misc]  # a base made at run time
    pass
