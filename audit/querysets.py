from typing import Any, NoReturn, TypeVar
from uuid import UUID

from django.db import connections, models
from django.db.models import Q
from django.db.models.expressions import RawSQL

from practices.querysets import TenantManager, TenantQuerySet

_ABOUT_PATIENT = """
SELECT event_id FROM audit_event_patient WHERE patient_id = %s
UNION ALL
SELECT id FROM audit_auditevent WHERE patient_ids @> ARRAY[%s]::uuid[] AND xid >= audit_sealed_until()
"""
_SEALED = "SELECT event_id FROM audit_event_patient WHERE patient_id = %s"
_HOW_MANY = f"""
SELECT (SELECT count(*) FROM ({_SEALED} LIMIT many) AS counted) >= many,
    ARRAY(SELECT id FROM audit_auditevent WHERE patient_ids @> ARRAY[%s]::uuid[] AND xid >= audit_sealed_until())
FROM (
    SELECT (3 * sqrt(greatest(reltuples, 1)))::bigint AS many FROM pg_class WHERE oid = 'audit_auditevent'::regclass
) AS log
"""  # noqa: S608  # constant text
"""Whether a page is full sooner by reading the log in order than by finding all of the patient's events and sorting
them: it is from some times the square root of the log's size on.
"""
NOTHING = UUID(int=0)
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

    def pages_about_patient(self, patient_id: UUID) -> "AuditEventQuerySet[ModelT_co]":
        """The same events, for showing some of the newest. Asks one statement at once.

        Of a patient who is in many, an OR keeps the planner from joining: it hashes their ids and reads the log in
        order.
        """
        with connections[self.db].cursor() as cursor:
            cursor.execute(_HOW_MANY, [patient_id, patient_id])
            many, fresh = cursor.fetchone()
        if not many:
            return self.about_patient(patient_id)
        return self.filter(Q(pk__in=RawSQL(_SEALED, [patient_id])) | Q(pk__in=[*fresh, NOTHING]))  # noqa: S611  # as above


class AuditEventManager(TenantManager.from_queryset(AuditEventQuerySet)):  # type: ignore[misc]  # a base made at run time
    pass
