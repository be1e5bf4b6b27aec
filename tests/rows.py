"""One row of any model of ours, made by introspection, so that sweeps cover new models by themselves.

A model whose check constraints the guesses below don't meet is named in SPECIAL.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from audit.models import AuditEvent
from practices.encryption.keys import ring_of
from practices.models import Practice, PracticeKey, TenantModel, TimeZoneField
from practices.tenancy import Actor, active_practice_id

SETUP = Actor.system("tests")
START = datetime(2027, 3, 1, 15, tzinfo=UTC)
SPECIAL: dict[str, dict[str, Any]] = {
    "practices.PracticeKey": {"number": 99, "wrapped": "", "destroyed_at": START},  # beside the real ones
    "practices.Resource": {"kind": "room"},
    "integrations.EventLog": {"seq": 1_000_000},  # beyond those that the scope's own changes get
    "appointments.AvailabilityException": {"kind": "closed"},
    "appointments.Appointment": {
        "status": "booked",
        "time_zone": "UTC",
        "start": START,
        "end": datetime(2027, 3, 1, 16, tzinfo=UTC),
    },
    "appointments.AppointmentSeries": {"rrule": "FREQ=WEEKLY;COUNT=2"},
    "appointments.GroupVisit": {"end": datetime(2027, 3, 1, 16, tzinfo=UTC)},
    "appointments.ResourceAllocation": {"start": START, "end": datetime(2027, 3, 1, 16, tzinfo=UTC)},
    "appointments.WaitlistWindow": {"end_time": time(10)},
    "accounts.Membership": {"roles": ["provider"], "status": "active"},
    "accounts.Invitation": {"roles": ["provider"]},
    "integrations.PatientExport": {"status": "ready", "size": 1, "sha256": "0" * 64, "expires_at": START},
    "patients.AccessGrant": {"reviewed_at": None},
    "patients.PatientMergeItem": {"outcome": "kept", "moved_at": None},
}
GUESSES: list[tuple[type[models.Field[Any, Any]], Callable[[Any], Any]]] = [
    (TimeZoneField, lambda field: "UTC"),
    (models.EmailField, lambda field: f"{uuid.uuid4().hex}@example.test"),
    (ArrayField, lambda field: []),
    (models.UUIDField, lambda field: uuid.uuid4()),
    (models.DateTimeField, lambda field: START),
    (models.DateField, lambda field: date(2027, 3, 1)),
    (models.TimeField, lambda field: time(9)),
    (models.BooleanField, lambda field: False),
    (models.BinaryField, lambda field: uuid.uuid4().bytes),
    (models.JSONField, lambda field: {}),
    (models.GenericIPAddressField, lambda field: "127.0.0.1"),
    (models.IntegerField, lambda field: 1),
    (models.CharField, lambda field: uuid.uuid4().hex[: field.max_length or 32]),
    (models.TextField, lambda field: uuid.uuid4().hex),
]


def own_models() -> list[type[models.Model]]:
    return [model for label in settings.OWN_APPS for model in apps.get_app_config(label).get_models()]


def tenant_models() -> list[type[TenantModel]]:
    return [model for model in own_models() if issubclass(model, TenantModel)]


def make_row(model: type[models.Model], **values: Any) -> Any:
    """A saved row of the active practice, with whatever rows it needs."""
    if model is PracticeKey:
        ring_of(active_practice_id())
    values = {**SPECIAL.get(model._meta.label, {}), **values}
    for field in model._meta.concrete_fields:
        if field.name not in values and field.attname not in values and _needed(field):
            values[field.name] = _value(field)
    row = model(**values)
    if isinstance(row, AuditEvent):
        row.save_base(force_insert=True)  # its save() refuses: events are written by what happens
    else:
        row.save(force_insert=True)
    return row


def _needed(field: models.Field[Any, Any]) -> bool:
    if isinstance(field, models.ForeignKey) and field.related_model is Practice:
        return False
    automatic = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    return not (
        automatic or field.null or field.has_default() or isinstance(field, models.AutoField) or field.generated
    )


def _value(field: Any) -> Any:
    if isinstance(field, models.ForeignKey):
        return make_row(field.related_model)
    if field.choices:
        return field.choices[0][0]
    return next(guess(field) for kind, guess in GUESSES if isinstance(field, kind))
