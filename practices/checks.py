"""System checks that fail on a model of ours that lacks a wall, so that it can't be migrated or served."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.db import models

from practices.constraints import PracticeIsolation, SamePractice
from practices.fields import PracticeField, SamePracticeForeignKey
from practices.models import TenantModel
from practices.querysets import TenantManager


@register()
def check_walls(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    labels = {config.label for config in app_configs} if app_configs is not None else set(settings.OWN_APPS)
    own = [m for m in apps.get_models() if m._meta.app_label in settings.OWN_APPS and m._meta.app_label in labels]
    return [error for model in own for error in missing_walls(model)]


def missing_walls(model: type[models.Model]) -> Iterator[Error]:
    """An Error for each wall the model lacks; nothing for the few declared as global."""
    if model._meta.label in settings.GLOBAL_MODELS:
        return
    if not issubclass(model, TenantModel):
        yield Error(
            "belongs to no practice: derive it from TenantModel or name it in GLOBAL_MODELS.",
            obj=model,
            id="practices.E001",
        )
        return
    if not isinstance(model._meta.get_field("practice"), PracticeField) or not _has(model, PracticeIsolation):
        yield Error("has no row policy: its practice field must be the PracticeField.", obj=model, id="practices.E002")
    if not all(isinstance(manager, TenantManager) for manager in model._meta.managers):
        yield Error("has a manager that isn't a TenantManager.", obj=model, id="practices.E003")
    if not getattr(model, "area", ""):
        yield Error("names no area of the role table.", obj=model, id="practices.E004")
    yield from _loose_keys(model)
    yield from _loose_uniques(model)


def _has(model: type[models.Model], kind: type[models.BaseConstraint], **attributes: object) -> bool:
    return any(
        isinstance(constraint, kind) and all(getattr(constraint, key) == value for key, value in attributes.items())
        for constraint in model._meta.constraints
    )


def _loose_keys(model: type[models.Model]) -> Iterator[Error]:
    for field in model._meta.get_fields():
        if isinstance(field, models.ManyToManyField) and _made_by_django(field):
            yield Error(
                f"{field.name}: write the join table as a TenantModel of its own.", obj=model, id="practices.E005"
            )
        if not isinstance(field, models.ForeignKey) or not isinstance(field.related_model, type):
            continue
        if issubclass(field.related_model, TenantModel) and not (
            isinstance(field, SamePracticeForeignKey) and _has(model, SamePractice, field=field.name)
        ):
            yield Error(f"{field.name}: must be a SamePracticeForeignKey.", obj=model, id="practices.E006")


def _made_by_django(field: "models.ManyToManyField[Any, Any]") -> bool:
    """Whether nobody wrote its join table, which is then no tenant's."""
    through = field.remote_field.through
    return through is None or bool(through._meta.auto_created)


def _loose_uniques(model: type[models.Model]) -> Iterator[Error]:
    for field in model._meta.local_fields:
        if field.unique and not field.primary_key:
            yield Error(
                f"{field.name}: unique across practices; use a UniqueConstraint.", obj=model, id="practices.E007"
            )
    if model._meta.unique_together:
        yield Error("unique_together: use a UniqueConstraint.", obj=model, id="practices.E008")
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and (
            not constraint.fields or constraint.fields[0] != "practice"
        ):
            yield Error(f"{constraint.name}: must start with practice.", obj=model, id="practices.E009")
