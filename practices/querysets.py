from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models.functions import Now

from practices import signals
from practices.tenancy import ActivePractice, ScopeError, active_practice_id

ModelT_co = TypeVar("ModelT_co", bound=models.Model, covariant=True)


class AnnouncedQuerySet(models.QuerySet[ModelT_co]):
    """A queryset whose bulk writes are announced by signals, so that they are audited like single saves."""

    def update(self, **kwargs: Any) -> int:
        """Two more queries than Django's for audited models: the rows before (locked) and after."""
        stamped = {**self._stamps(kwargs), **kwargs}
        if not getattr(self.model, "audited", True):
            return super().update(**stamped)
        fields: list[Any] = [self.model._meta.get_field(name) for name in kwargs]
        names = [field.attname for field in fields]
        with transaction.atomic(using=self.db):
            before = {row["pk"]: row for row in self.select_for_update(of=("self",)).values("pk", *names)}
            # No other rows than those: one that somebody adds meanwhile would be changed unannounced.
            updated = models.QuerySet.update(self.filter(pk__in=list(before)), **stamped) if before else 0
            after = {
                row["pk"]: row
                for row in self.model._base_manager.using(self.db).filter(pk__in=before).values("pk", *names)
            }
            signals.bulk_updated.send(self.model, before=before, after=after, using=self.db)
        return updated

    update.alters_data = True  # type: ignore[attr-defined]  # Django's mark that templates may not call it

    def bulk_create(self, objs: Iterable[ModelT_co], *args: Any, **kwargs: Any) -> list[ModelT_co]:
        """Like Django's without a savepoint: who goes on after one that failed opens a block around it."""
        if getattr(self.model, "audited", True) and (kwargs.get("ignore_conflicts") or kwargs.get("update_conflicts")):
            raise ValueError("Which rows were written would not be known, so they could not be audited.")
        with transaction.atomic(using=self.db, savepoint=False):
            created = super().bulk_create(objs, *args, **kwargs)
            for instance in created:
                instance.loaded_values = instance.__dict__.copy()  # type: ignore[attr-defined]  # of RemembersValues
            signals.bulk_created.send(self.model, instances=created, using=self.db)
        return created

    def _stamps(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        fields = {field.name for field in self.model._meta.concrete_fields}
        stamps: dict[str, Any] = {}
        if "updated_at" in fields:
            stamps["updated_at"] = Now()
        if "version" in fields:
            stamps["version"] = models.F("version") + 1
        return stamps


class TenantQuerySet(AnnouncedQuerySet[ModelT_co]):
    """Rows of one practice; another's are refused before PostgreSQL has to."""

    def bulk_create(self, objs: Iterable[ModelT_co], *args: Any, **kwargs: Any) -> list[ModelT_co]:
        objs = list(objs)
        practice_id = active_practice_id()
        if any(getattr(obj, "practice_id", None) != practice_id for obj in objs):
            raise ScopeError("A row among these is another practice's.")
        return super().bulk_create(objs, *args, **kwargs)


class TenantManager(models.Manager.from_queryset(TenantQuerySet)):  # type: ignore[misc]  # a base made at run time
    """The first wall: every query is for the active practice, and raises NoActivePractice when there is none.

    It raises when the SQL is compiled, not here: class bodies evaluate `Model.objects.all()` at import time.
    """

    def get_queryset(self) -> TenantQuerySet[Any]:
        copy = _of_active_practice(self.model, self._queryset_class)._chain()
        copy._db, copy._hints = self._db, dict(self._hints)
        queryset: TenantQuerySet[Any] = copy
        return queryset


@cache
def _of_active_practice(model: type[models.Model], queryset_class: Any) -> Any:
    """Made once: a copy costs a fifth of composing the condition anew."""
    return queryset_class(model=model).filter(practice_id=ActivePractice())
