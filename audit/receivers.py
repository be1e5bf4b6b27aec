"""From signals to events. Connected model by model, so that models that are not audited keep Django's fast paths."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models
from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest

from audit import changes
from audit.models import AuditEvent
from audit.recording import NoSuchPractice, record, record_apart, record_on_platform, record_seen
from patients.models import Patient
from patients.signals import patient_data_exported, patient_data_read
from practices import signals
from practices.tenancy import Scope

Action = AuditEvent.Action
DENIED = frozenset({401, 403, 404})


def connect() -> None:
    for model in apps.get_models():
        if getattr(model, "audited", False):
            post_save.connect(on_save, sender=model, dispatch_uid="audit")
            post_delete.connect(on_delete, sender=model, dispatch_uid="audit")
    signals.bulk_created.connect(on_bulk_create, dispatch_uid="audit")
    signals.bulk_updated.connect(on_bulk_update, dispatch_uid="audit")
    signals.rows_erased.connect(on_erasure, dispatch_uid="audit")
    signals.fields_reencrypted.connect(on_reencryption, dispatch_uid="audit")
    signals.request_refused.connect(on_refusal, dispatch_uid="audit")
    patient_data_read.connect(on_patient_data_read, dispatch_uid="audit")
    patient_data_exported.connect(on_patient_data_exported, dispatch_uid="audit")


def on_save(
    sender: type[models.Model],
    instance: Any,
    created: bool,
    using: str,
    update_fields: Iterable[str] | None = None,
    **kwargs: Any,
) -> None:
    values = instance.__dict__
    if not changes.tells(sender, update_fields):
        return
    if created:
        action, difference = Action.CREATE, changes.created(sender, values)
    else:
        action, difference = Action.UPDATE, changes.updated(sender, instance.loaded_values, values, update_fields)
    _record_row(action, sender, values, difference, using)


def on_delete(sender: type[models.Model], instance: Any, using: str, **kwargs: Any) -> None:
    values = {**instance.__dict__, **instance.loaded_values}
    _record_row(Action.DELETE, sender, values, changes.deleted(sender, values), using)


def on_bulk_create(sender: type[models.Model], instances: list[Any], using: str, **kwargs: Any) -> None:
    if not getattr(sender, "audited", False):
        return
    for instance in instances:
        values = instance.__dict__
        _record_row(Action.CREATE, sender, values, changes.created(sender, values), using)


def on_bulk_update(
    sender: type[models.Model],
    before: Mapping[UUID, Mapping[str, Any]],
    after: Mapping[UUID, Mapping[str, Any]],
    using: str,
    **kwargs: Any,
) -> None:
    if not any(changes.tells(sender, values) for values in after.values()):
        return
    patients = _patients(sender, list(before), using)
    for pk, values in before.items():
        difference = changes.updated(sender, values, after[pk])
        record(
            Action.UPDATE,
            sender._meta.label_lower,
            pk,
            patient_ids=patients.get(pk, ()),
            changes=difference,
            using=using,
        )


def on_erasure(
    sender: type[models.Model], ids: list[UUID], patient_ids: list[UUID], emptied: Iterable[str] | None, **kwargs: Any
) -> None:
    """Ids, and names of columns; never what they held."""
    if getattr(sender, "audited", False):
        action = Action.DELETE if emptied is None else Action.UPDATE
        for pk in ids:
            changes_of = dict.fromkeys(emptied or ())
            record(action, sender._meta.label_lower, pk, patient_ids=patient_ids, changes=changes_of)


def on_reencryption(sender: type[models.Model], using: str, **kwargs: Any) -> None:
    """One event for all rows of the transaction."""
    record(Action.REENCRYPT, sender._meta.label_lower, using=using)


def on_refusal(sender: object, request: HttpRequest, status: int, scope: Scope, **kwargs: Any) -> None:
    action = Action.DENIED if status in DENIED else Action.FAILED
    entity, entity_id = _target(request)
    try:
        record_apart(scope, action, entity, entity_id, status=status)
    except NoSuchPractice:
        # The token names a practice that is not there (a restored database): the platform's log keeps it.
        record_on_platform(scope, action, entity, entity_id, status=status)


def on_patient_data_read(sender: type[models.Model], patient_ids: Iterable[UUID | str], **kwargs: Any) -> None:
    record_seen(sender._meta.label_lower, [str(patient_id) for patient_id in patient_ids if patient_id])


def on_patient_data_exported(sender: type[models.Model], patient_ids: Iterable[UUID], **kwargs: Any) -> None:
    record(Action.EXPORT, sender._meta.label_lower, patient_ids=list(patient_ids))


def _record_row(
    action: str, model: type[models.Model], values: Mapping[str, Any], difference: changes.Changes, using: str
) -> None:
    record(
        action,
        model._meta.label_lower,
        values["id"],
        patient_ids=changes.patients_of(model, values),
        changes=difference,
        using=using,
    )


def _patients(model: type[models.Model], ids: list[UUID], using: str) -> dict[UUID, list[UUID]]:
    """One query a statement: an `update()` names neither the rows' patients nor needs to."""
    column = changes.patient_column(model)
    if column is None or column == "id":
        return {pk: [pk] for pk in ids} if column else {}
    rows = model._base_manager.using(using).filter(pk__in=ids).values_list("pk", column)
    return {pk: [patient_id] for pk, patient_id in rows if patient_id}


def _target(request: HttpRequest) -> tuple[str, UUID | None]:
    """The model and id that a refused request was about, as far as its route says: of all of a chart's rows of a kind,
    the chart.
    """
    match = request.resolver_match
    if match is None:
        return "", None
    row = match.kwargs.get("pk") or match.kwargs.get("object_id")
    if row is None and (patient := match.kwargs.get("patient_id")):
        return Patient._meta.label_lower, _uuid(patient)
    view = getattr(match.func, "cls", None) or getattr(match.func, "view_class", None)
    model = getattr(getattr(view, "queryset", None), "model", None)
    return model._meta.label_lower if model else "", _uuid(row)


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
