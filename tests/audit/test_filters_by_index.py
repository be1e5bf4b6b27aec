"""Under the row policy each filter finds its events by an index, in the order in which they are shown."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, connections
from django.utils import timezone

from audit.models import AuditEvent, Seal
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
        cursor.execute("VACUUM (ANALYZE) audit_auditevent, audit_event_patient")  # as autovacuum does
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


MANY, FEW = UUID(int=1), UUID(int=2)
OFTEN = """
WITH made AS (
    INSERT INTO audit_auditevent (id, practice_id, at, actor_kind, actor_label, roles, action, entity, patient_ids,
                                  changes, request_id, operation, reason)
    SELECT gen_random_uuid(), %s, now() - n * interval '1 minute', 'user', '', '{}', 'read', 'patients.patient',
           CASE WHEN n %% 2 = 0 THEN ARRAY[%s] WHEN n %% 1000 = 1 THEN ARRAY[%s] ELSE '{}' END::uuid[], '{}', '', '', ''
    FROM generate_series(1, %s) AS n RETURNING practice_id, patient_ids, id)
INSERT INTO audit_event_patient SELECT practice_id, unnest(patient_ids), id FROM made WHERE %s
"""


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_pages_of_a_patient_who_is_in_half_the_log_are_read_in_its_order(
    practice: Practice, other_practice: Practice
) -> None:
    for each in (practice, other_practice):
        with practice_scope(each, actor=SETUP), connection.cursor() as cursor:
            cursor.execute(OFTEN, [each.pk, MANY, FEW, EVENTS, True])
            empty = {"count": 0, "digest": b"", "previous": b"", "marks": b"", "signature": b""}
            Seal(seq=1, since=0, until=2**40, at=timezone.now(), practice_id=each.pk, **empty).save()
    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) audit_auditevent, audit_event_patient")  # as autovacuum does
    with practice_scope(practice, actor=SETUP):
        plan = AuditEvent.objects.pages_about_patient(MANY)[:50].explain()
        assert "Index Scan Backward using audit_by_time" in plan, plan
        assert "Seq Scan" not in plan
        assert "audit_event_patient_pkey" in AuditEvent.objects.pages_about_patient(FEW)[:50].explain()
        for patient, count in ((MANY, EVENTS // 2), (FEW, EVENTS // 1000), (uuid4(), 0)):
            found = list(AuditEvent.objects.pages_about_patient(patient).values_list("pk", flat=True))
            assert len(found) == count
            assert found == list(AuditEvent.objects.about_patient(patient).values_list("pk", flat=True))


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_pages_of_a_patient_begin_with_what_is_not_sealed_yet(practice: Practice, other_practice: Practice) -> None:
    with practice_scope(practice, actor=SETUP), connection.cursor() as cursor:
        cursor.execute(OFTEN, [practice.pk, MANY, FEW, 100, True])
        cursor.execute(OFTEN, [practice.pk, MANY, FEW, 10, False])
    with practice_scope(practice, actor=SETUP):
        assert AuditEvent.objects.pages_about_patient(MANY).count() == 55
    with practice_scope(other_practice, actor=SETUP):
        assert not AuditEvent.objects.pages_about_patient(MANY).exists()
