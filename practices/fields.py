"""The two fields that bring the second and third wall to a model. Nothing has to be written in Meta for it."""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models.fields.related_descriptors import ReverseManyToOneDescriptor
from django.utils.functional import cached_property

from practices.constraints import PracticeIsolation, SamePractice
from practices.tenancy import current_scope


def _add_constraint(model: type[models.Model], constraint: models.BaseConstraint) -> None:
    """Where both Django's runtime and `makemigrations` (which reads `original_attrs`) see it."""
    meta = model._meta
    if any(present.name == constraint.name for present in meta.constraints):
        return  # a migration's state already carries it
    meta.constraints = [*meta.constraints, constraint]
    original: Any = meta.original_attrs  # what ModelState reads
    original["constraints"] = [*original.get("constraints", []), constraint]


class PracticeField(models.ForeignKey):  # type: ignore[type-arg]  # its value types come from Practice
    """The row's practice: filled from the active scope, never edited; brings `PracticeIsolation`."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("to", "practices.Practice")
        kwargs.setdefault("on_delete", models.PROTECT)
        kwargs.setdefault("related_name", "+")
        kwargs |= {"editable": False, "db_index": False}  # the unique (practice_id, id) serves
        super().__init__(**kwargs)

    def get_default(self) -> UUID | None:
        """None without a scope: migrations ask for defaults too, and the column refuses NULL by itself."""
        scope = current_scope()
        return scope.practice_id if scope else None

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.ForeignKey", args, kwargs

    def clone(self) -> Any:
        """Migrations keep their own copy of a field; a plain key there, since the constraint is kept beside it."""
        _, _, args, kwargs = self.deconstruct()
        return models.ForeignKey(*args, **kwargs)

    def contribute_to_class(
        self, cls: type[models.Model], name: str, private_only: bool = False, **kwargs: Any
    ) -> None:
        super().contribute_to_class(cls, name, private_only, **kwargs)
        if not cls._meta.abstract:
            _add_constraint(cls, PracticeIsolation(name=f"{cls._meta.label_lower.replace('.', '_')}_isolation"))


class _AnnouncingReverse(ReverseManyToOneDescriptor):  # type: ignore[type-arg]  # of whatever model the key is on
    """`location.resources.add(room)` saves each row: Django's own way is an `update()` that nobody hears of."""

    @cached_property
    def related_manager_cls(self) -> Any:
        base: Any = super().related_manager_cls

        class RelatedManager(base):  # type: ignore[misc]  # a base made at run time
            def add(self, *objs: models.Model, bulk: bool = True) -> None:
                super().add(*objs, bulk=False)

        return RelatedManager


class SamePracticeForeignKey(models.ForeignKey):  # type: ignore[type-arg]  # its value types come from `to`
    """A foreign key between tenant models that the database holds inside one practice; brings `SamePractice`.

    `db_index=False` leaves out its (practice_id, x_id) index, for keys that start another index.
    """

    related_accessor_class = _AnnouncingReverse

    def __init__(self, to: Any, on_delete: Any, *, db_index: bool = True, **kwargs: Any) -> None:
        self.practice_index = db_index
        super().__init__(to, on_delete, **{**kwargs, "db_constraint": False, "db_index": False})

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.ForeignKey", args, kwargs

    def clone(self) -> Any:
        """Migrations keep their own copy of a field; a plain key there, since the constraint is kept beside it."""
        _, _, args, kwargs = self.deconstruct()
        return models.ForeignKey(*args, **kwargs)

    def contribute_to_class(
        self, cls: type[models.Model], name: str, private_only: bool = False, **kwargs: Any
    ) -> None:
        super().contribute_to_class(cls, name, private_only, **kwargs)
        if not cls._meta.abstract:
            _add_constraint(cls, self._constraint(cls, name))

    def _constraint(self, cls: type[models.Model], name: str) -> SamePractice:
        target = self.remote_field.model
        label = target if isinstance(target, str) else target._meta.label
        if label == "self":
            label = cls._meta.label
        elif "." not in label:
            label = f"{cls._meta.app_label}.{label}"
        return SamePractice(
            field=name, to=label, index=self.practice_index, name=f"{cls._meta.db_table}_{name}_same_practice"[:63]
        )
