"""Under the row policy each filter finds its events by an index, in the order in which they are shown."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, connections

from audit.models import AuditEvent
from practices.models import Practice
from practices.tenancy import Actor, practice_scope

SETUP = Actor.system("tests")
EVENTS = 4000
FILL = """
WITH made AS (
    INSERT INTO audit_auditevent (id, practice_id, at, actor_kind, actor_id, actor_label, roles, action, entity,
                                  entity_id, patient_ids, changes, request_id, operation, reason)
    SELECT gen_random_uuid(), %s, now() - n * interval '1 minute', 'user', md5((n %% 50)::text)::uuid, '', '{}',
           CASE WHEN n %% 100 = 0 THEN 'denied' ELSE 'read' END,
           CASE WHEN n %% 40 = 0 THEN 'appointments.appointment' ELSE 'patients.patient' END,
           md5((n %% 500)::text)::uuid, ARRAY[md5((n %% 700)::text)::uuid], '{}', '', '', ''
    FROM generate_series(1, %s) AS n RETURNING practice_id, patient_ids, id)
INSERT INTO audit_event_patient SELECT practice_id, unnest(patient_ids), id FROM made
"""


def md5(number: int) -> UUID:
    with connection.cursor() as cursor:
        cursor.execute("SELECT md5(%s)::uuid", [str(number)])
        (value,) = cursor.fetchone()
    return UUID(str(value))


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_each_filter_is_answered_by_an_index(practice: Practice, other_practice: Practice) -> None:
    for each in (practice, other_practice):
        with practice_scope(each, actor=SETUP), connection.cursor() as cursor:
            cursor.execute(FILL, [each.pk, EVENTS])
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE audit_auditevent, audit_event_patient")
    filters: dict[str, dict[str, Any]] = {
        "audit_by_time": {},
        "audit_by_actor": {"actor_id": md5(7)},
        "audit_by_action": {"action": "denied"},
        "audit_by_entity": {"entity": "appointments.appointment"},
        "audit_by_row": {"entity_id": md5(7)},
    }
    with practice_scope(practice, actor=SETUP):
        for index, conditions in filters.items():
            plan = AuditEvent.objects.filter(**conditions)[:50].explain()
            assert f"Index Scan Backward using {index}" in plan, plan
            assert "Seq Scan" not in plan
        plan = AuditEvent.objects.about_patient(md5(7))[:50].explain()
        assert "audit_event_patient_pkey" in plan, plan
        assert "Seq Scan" not in plan
        assert AuditEvent.objects.about_patient(md5(7)).count() in {5, 6}
        assert not AuditEvent.objects.about_patient(uuid4()).exists()
