"""Nobody changes the log: not the runtime login, not the owner of the tables, not Python code by mistake."""

from uuid import uuid4

import pytest
from django.conf import settings
from django.db import ProgrammingError, connection, connections, transaction

from audit.models import AuditEvent, PlatformAuditEvent
from audit.querysets import AppendOnly
from practices.models import Location, Practice
from practices.tenancy import Actor, platform_scope, practice_scope

BY = Actor.system("tests")
TABLES = [
    *("audit_auditevent", "audit_event_patient", "audit_platformauditevent", "audit_change", "audit_seal"),
    "audit_platformseal",
]
NEVER_EMPTIED = {"audit_event_patient", "audit_change"}
"""Not by Django's tests either, which empty the tables of models only."""
CHANGES = ["UPDATE {table} SET {column} = {column}", "DELETE FROM {table}", "TRUNCATE {table}"]
COLUMN = {"audit_platformseal": "seq"}


@pytest.mark.django_db
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", CHANGES[:2])
def test_runtime_login_is_refused(table: str, change: str) -> None:
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change.format(table=table, column=COLUMN.get(table, "practice_id")))


@pytest.mark.django_db
def test_truncate_is_granted_by_no_migration() -> None:
    """The suite grants it itself, to empty tables between tests; what migrating grants is read here."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT defaclacl::text FROM pg_default_acl WHERE defaclobjtype = 'r'")
        ((granted,),) = cursor.fetchall()
    assert f"{settings.DATABASES['default']['USER']}=arwd/" in granted


@pytest.mark.django_db(databases=["default", "owner"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", CHANGES)
def test_owner_is_refused(table: str, change: str) -> None:
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        if "TRUNCATE" in change and table not in NEVER_EMPTIED:
            cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER append_only_truncate")  # as it was migrated
        with pytest.raises(ProgrammingError, match="only ever added"):
            cursor.execute(change.format(table=table, column=COLUMN.get(table, "practice_id")))
        transaction.set_rollback(True, using="owner")


@pytest.mark.django_db
def test_triggers_fire_for_replication_roles_too() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger"
            " WHERE tgname LIKE 'append_only%%' AND tgenabled = 'A'"
        )
        always = set(cursor.fetchall())
    assert always == {(table, "append_only") for table in TABLES} | {
        (table, "append_only_truncate") for table in NEVER_EMPTIED
    }


def test_python_refuses_before_postgresql_has_to(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        Location.objects.create(name="Main")
    with practice_scope(practice, actor=BY):
        event = AuditEvent.objects.first()
        assert event is not None
        for change in (
            event.save,
            event.delete,
            AuditEvent.objects.all().delete,
            lambda: AuditEvent.objects.update(entity="x"),
            lambda: AuditEvent.objects.bulk_create([event]),
            lambda: AuditEvent.objects.bulk_update([event], ["entity"]),
            lambda: AuditEvent.objects.create(action="create"),
        ):
            with pytest.raises(AppendOnly):
                change()
    for change in (PlatformAuditEvent.objects.all().delete, lambda: PlatformAuditEvent.objects.update(entity="x")):
        with pytest.raises(AppendOnly):
            change()


def test_runtime_login_adds_only_to_the_active_practice(practice: Practice, other_practice: Practice) -> None:
    insert = "INSERT INTO audit_event_patient (practice_id, patient_id, event_id) VALUES (%s, %s, %s)"
    with practice_scope(practice, actor=BY):
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            connection.cursor().execute(insert, [other_practice.pk, uuid4(), uuid4()])
        connection.cursor().execute(insert, [practice.pk, uuid4(), uuid4()])
    with practice_scope(other_practice, actor=BY), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_event_patient")
        assert cursor.fetchone() == (0,)
    with platform_scope(actor=BY), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_auditevent")
        assert cursor.fetchone() == (0,)
