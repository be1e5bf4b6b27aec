"""Nothing is written or shown without an event: every audited model, every route that answers with a patient's data.

Both are found by introspection, so a new model or route is held to it as it appears.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import models, transaction
from django.db.models import ProtectedError
from django.urls import resolve

from audit.changes import patient_column
from audit.models import AuditEvent
from patients.models import Patient
from practices.models import Practice
from practices.querysets import AnnouncedQuerySet
from practices.tenancy import Actor, practice_scope
from tests.clients import MemberClient, client_of
from tests.rows import SETUP, make_row, own_models, tenant_models
from tests.test_isolation_routes import ALL_ROLES, Operation, operations

NOT_AUDITED = {
    "accounts.PasswordReset",
    "accounts.RecoveryCode",
    "accounts.RefreshSession",
    "appointments.Reminder",
    "accounts.TotpDevice",
    "audit.AuditEvent",
    "audit.PlatformAuditEvent",
    "audit.PlatformSeal",
    "audit.Seal",
    "integrations.EventCounter",
    "integrations.EventLog",
    "integrations.IdempotencyKey",
    "integrations.ImportRowError",
    "integrations.WebSocketTicket",
    "patients.PatientMergeItem",
    "patients.PatientName",
    "practices.PracticeKey",
}
AUDITED = [model for model in own_models() if getattr(model, "audited", False)]
WRITTEN = [model for model in AUDITED if model is not Practice]  # a practice is made by the platform: tests/audit
EACH = pytest.mark.parametrize("model", WRITTEN, ids=[model._meta.label for model in WRITTEN])
BY = Actor.user(uuid.uuid4(), ("owner",), "Robin")
IDS_ONLY = {"audit.AuditEvent", "integrations.EventLog"}
"""Their rows name patients by id, as the log of reads itself would."""


# --- Writes -----------------------------------------------------------------------------------------


def test_models_that_are_not_audited_are_known() -> None:
    """Each says why beside its `audited = False`; one more needs a line here."""
    assert {model._meta.label for model in own_models()} - {model._meta.label for model in AUDITED} == NOT_AUDITED


def test_every_manager_of_an_audited_model_announces_bulk_writes() -> None:
    silent = [
        f"{model._meta.label}.{manager.name}"
        for model in AUDITED
        for manager in model._meta.managers
        if not isinstance(manager.get_queryset(), AnnouncedQuerySet)
    ]
    assert silent == []


def test_no_key_of_an_audited_model_is_emptied_behind_the_signals() -> None:
    """Django sends none for SET_NULL, SET_DEFAULT and SET(): such a change would be in no event."""
    allowed = {models.CASCADE, models.PROTECT, models.RESTRICT, models.DO_NOTHING}
    loose = [
        f"{model._meta.label}.{field.name}"
        for model in AUDITED
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and field.remote_field.on_delete not in allowed
    ]
    assert loose == []


def actions(row: Any) -> list[str]:
    """Of the events about one row, oldest first."""
    found = AuditEvent.objects.filter(entity=row._meta.label_lower, entity_id=row.pk).order_by("at", "id")
    assert {(event.actor_id, event.actor_label) for event in found} <= {(BY.id, BY.label)}
    return [event.action for event in found]


def refused(change: Any) -> bool:
    """Whether the model itself refuses, as history that is never edited does."""
    try:
        with transaction.atomic():
            change()
    except (TypeError, ProtectedError):
        return True
    return False


@EACH
def test_each_way_to_write_a_row_is_in_the_log(practice: Practice, model: type[models.Model]) -> None:
    expected = ["create"]
    with practice_scope(practice, actor=BY):
        row = make_row(model)
    with practice_scope(practice, actor=BY):
        if not refused(model._default_manager.get(pk=row.pk).save):
            expected.append("update")
    with practice_scope(practice, actor=BY):
        field = next(filter(is_plain, model._meta.concrete_fields), model._meta.concrete_fields[-1])
        value = getattr(row, field.attname)
        if not refused(lambda: model._default_manager.filter(pk=row.pk).update(**{field.attname: value})):
            expected.append("update")
    with practice_scope(practice, actor=BY):
        pk = row.pk
        if not refused(model._default_manager.get(pk=pk).delete):
            expected.append("delete")
        row.pk = pk
    with practice_scope(practice, actor=SETUP):
        assert actions(row) == expected


def is_plain(field: models.Field[Any, Any]) -> bool:
    return type(field) in {
        models.CharField,
        models.IntegerField,
        models.PositiveIntegerField,
        models.PositiveSmallIntegerField,
        models.DateTimeField,
        models.DateField,
    } and field.name not in {"created_at", "updated_at", "version", "last_login", "password"}


# --- Reads ------------------------------------------------------------------------------------------


def about_patients(model: type[models.Model], seen: frozenset[type[models.Model]] = frozenset()) -> bool:
    """Whether rows are about a patient, themselves or by a key to what is."""
    if patient_column(model) is not None:
        return True
    keys = [field for field in model._meta.concrete_fields if isinstance(field, models.ForeignKey)]
    targets = {field.related_model for field in keys} - seen - {model, Practice}
    return any(about_patients(target, seen | {model}) for target in targets)


def model_of(operation: Operation) -> type[models.Model] | None:
    blank = operation.path.format(**dict.fromkeys(operation.names("path"), uuid.UUID(int=0)))
    callback: Any = resolve(blank).func
    queryset = getattr(callback.cls, "queryset", None)
    return queryset.model if queryset is not None else None


READS = [operation for operation in operations() if operation.method == "get"]


@pytest.fixture
def rows(practice: Practice) -> dict[str, Any]:
    """One row of every model, all about one patient where they are about any."""
    with practice_scope(practice, actor=SETUP):
        made = {"patients.Patient": make_row(Patient)}
        for model in tenant_models():
            if model is not Patient:
                made[model._meta.label] = make_row(model, **shared(model, made))
    return made


def shared(model: type[models.Model], made: dict[str, Any]) -> dict[str, Any]:
    """Its keys to rows that are there already."""
    return {
        field.name: made[field.related_model._meta.label]
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey)
        and field.related_model._meta.label in made
        and about_patients(field.related_model)
        and not field.null
    }


@pytest.fixture
def client(practice: Practice, rows: dict[str, Any], settings: Any) -> MemberClient:
    settings.RATELIMIT_ENABLE = False
    with practice_scope(practice, actor=SETUP):
        user = make_row(rows["accounts.Membership"].__class__, roles=ALL_ROLES).user
    return client_of(user, practice)


def path_to(operation: Operation, rows: dict[str, Any]) -> str:
    model = model_of(operation)
    ids = {
        name: rows[model._meta.label].pk if name in {"id", "pk"} and model else rows["patients.Patient"].pk
        for name in operation.names("path")
    }
    return operation.path.format(**ids)


@pytest.mark.parametrize("operation", READS, ids=str)
def test_who_was_shown_is_in_the_log(
    practice: Practice, rows: dict[str, Any], client: MemberClient, operation: Operation
) -> None:
    model = model_of(operation)
    response = client.get(path_to(operation, rows))
    if response.status_code != 200 or (model is not None and model._meta.label in IDS_ONLY):
        assert model is None or not about_patients(model) or model._meta.label in IDS_ONLY, response.content
        return
    with practice_scope(practice, actor=SETUP):
        patients = {str(pk) for pk in Patient.objects.values_list("pk", flat=True)}
        reads = AuditEvent.objects.filter(action="read", actor_id=client.user.pk)
        noted = {str(pk) for event in reads for pk in event.patient_ids}
    body = response.content.decode()
    assert {pk for pk in patients if pk in body} <= noted
    if model is not None and about_patients(model):
        assert len(reads) == 1
        assert noted


def test_sweep_finds_routes_and_models() -> None:
    assert len(AUDITED) >= 18
    found = {str(operation) for operation in READS if (model := model_of(operation)) and about_patients(model)}
    assert {"GET /api/v1/patients", "GET /api/v1/patients/{id}", "GET /api/v1/appointments"} <= found
