"""What every model of a practice derives from."""

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Self
from uuid import UUID

import uuid_utils.compat
from django.db import models

from config.api.problem import Conflict
from practices.fields import PracticeField
from practices.querysets import TenantManager
from practices.tenancy import ScopeError, active_practice_id


def new_id() -> UUID:
    """A UUIDv7, made here since PostgreSQL has its own only from version 18."""
    return uuid_utils.compat.uuid7()


class ConcurrentEdit(Conflict):
    """Somebody else saved the row since it was read. Nothing was written."""

    code = "concurrent_edit"
    default_detail = "Somebody else changed this meanwhile; read it again."


class RemembersValues(models.Model):
    """Keeps each value as the database has it, for the audit's "before"."""

    loaded_values: dict[str, Any] = {}
    """attname -> value as last read or written; empty for a new row, without what was deferred."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        self._remember(kwargs.get("update_fields"))

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any) -> Self:
        instance = super().from_db(db, field_names, values, **kwargs)
        instance.loaded_values = dict(zip(field_names, values, strict=False))
        return instance

    def refresh_from_db(self, using: str | None = None, fields: Any = None, from_queryset: Any = None) -> None:
        names = None if fields is None else list(fields)
        super().refresh_from_db(using, names, from_queryset)
        self._remember(names)

    def note_inserted(self, using: str) -> None:
        """For whoever inserts the row otherwise than by `save`."""
        self._state.adding, self._state.db = False, using
        self._remember(None)

    def _remember(self, names: Iterable[str] | None) -> None:
        """Only what was written or read: a value changed in memory meanwhile is still to be saved."""
        wanted = None if names is None else set(names)
        current = {
            field.attname: self.__dict__[field.attname]
            for field in self._meta.concrete_fields
            if field.attname in self.__dict__ and (wanted is None or wanted & {field.name, field.attname})
        }
        self.loaded_values = {**self.loaded_values, **current}


class TenantModel(RemembersValues):
    """A row of one practice. Saving and deleting outside that practice's scope raises."""

    area: ClassVar[str]
    """The row of the role table that says who may do what with it."""
    audited: ClassVar[bool] = True
    """Whether its changes become audit events; off only for what keeps a record of its own."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    practice = PracticeField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = TenantManager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.refuse_other_practice()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self.refuse_other_practice()
        return super().delete(*args, **kwargs)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Checks uniqueness inside the practice too: no form has a practice field, so forms exclude it."""
        super().validate_constraints(exclude=set(exclude or ()) - {"practice"})

    def refuse_other_practice(self) -> None:
        if self.practice_id != active_practice_id():
            raise ScopeError(f"This {self._meta.verbose_name} is another practice's.")


class VersionedModel(TenantModel):
    """A row that people edit: `version` counts its saves, and a save of a stale copy raises ConcurrentEdit."""

    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self.version += 1
            if (names := kwargs.get("update_fields")) is not None:
                kwargs["update_fields"] = {*names, "version", "updated_at"}
        super().save(*args, **kwargs)

    def _do_update(self, base_qs: Any, *args: Any, **kwargs: Any) -> bool:  # type: ignore[override]  # the rest passes through
        """Django's hook for one row's UPDATE."""
        updated = super()._do_update(base_qs.filter(version=self.version - 1), *args, **kwargs)
        if not updated:
            raise ConcurrentEdit
        return True
