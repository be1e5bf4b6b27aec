"""Re-encrypting a practice's fields under a new data key while the practice is being used.

Everything happens in short transactions, and what is left to do is read off the rows: it can be stopped anywhere and
started again. A row that somebody is editing is passed over and taken up later.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection, models
from django.utils import timezone

from practices import signals
from practices.encryption import keys
from practices.encryption.errors import EncryptionError
from practices.encryption.fields import VERSION, Ciphertext, EncryptedTextField, seal
from practices.models.key import PracticeKey
from practices.tenancy import Actor, active_practice_id, practice_scope

ACTOR = Actor.system("rotate_field_keys")
KEPT_AFTER_RETIRING = timedelta(days=1)
"""For how long a retired key still decrypts: far longer than any transaction that may have written under it."""
PATIENCE_SECONDS = 0.1
OnRows = Callable[[int], None]


@dataclass(slots=True)
class Rotation:
    """What was done for one practice. `unreadable` rows keep their ciphertext, and their key is kept for them."""

    practice_id: UUID
    number: int
    rows: int = 0
    unreadable: set[tuple[str, UUID]] = field(default_factory=set)
    destroyed: int = 0


@dataclass(frozen=True, slots=True)
class _Column:
    model: type[models.Model]
    column: str

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    def sql(self, text: str) -> str:
        """`{t}` and `{c}` filled in with the quoted names."""
        return text.format(t=connection.ops.quote_name(self.table), c=connection.ops.quote_name(self.column))


def begin(practice_id: UUID) -> Rotation | None:
    """A new data key, or the one of a rotation that was interrupted; None for a practice without keys."""
    with practice_scope(practice_id, actor=ACTOR):
        alive = list(PracticeKey.objects.filter(kind=PracticeKey.Kind.DATA).exclude(wrapped=""))
        if not alive:
            return None
        unfinished = any(key.retired_at is None for key in alive[:-1])
        return Rotation(practice_id, alive[-1].number if unfinished else keys.add_data_key())


def remaining(rotation: Rotation) -> int:
    """Rows that are not yet under the new key; one query per encrypted column."""
    with practice_scope(rotation.practice_id, actor=ACTOR):
        return sum(_count(_LEFT, column, rotation.number) for column in _columns())


def reencrypt(rotation: Rotation, *, batch_size: int = 500, on_rows: OnRows = lambda rows: None) -> None:
    """Until every readable row is under the new key. Waits for rows that are being edited."""
    for column in _columns():
        while True:
            _pass(rotation, column, batch_size, on_rows)
            unreadable = sum(table == column.table for table, _ in rotation.unreadable)
            with practice_scope(rotation.practice_id, actor=ACTOR):
                left = _count(_LEFT, column, rotation.number)
            if left <= unreadable:
                break
            time.sleep(PATIENCE_SECONDS)


def finish(rotation: Rotation) -> None:
    """Retires the keys that no row is under, and destroys those that were retired long enough ago."""
    now = timezone.now()
    with practice_scope(rotation.practice_id, actor=ACTOR):
        older = PracticeKey.objects.filter(kind=PracticeKey.Kind.DATA, number__lt=rotation.number).exclude(wrapped="")
        unused = [key for key in older if not any(_count(_UNDER, column, key.number) for column in _columns())]
        for key in unused:
            if key.retired_at is None:
                key.retired_at = now
                key.save(update_fields=["retired_at", "updated_at"])
        done = {key.number for key in unused if key.retired_at and key.retired_at <= now - KEPT_AFTER_RETIRING}
        rotation.destroyed = keys.destroy_retired(done)
    keys.forget(rotation.practice_id)


def _columns() -> list[_Column]:
    return [
        _Column(model, str(each.column))
        for model in apps.get_models()
        for each in model._meta.local_concrete_fields
        if isinstance(each, EncryptedTextField) and not model._meta.proxy
    ]


def _pass(rotation: Rotation, column: _Column, batch_size: int, on_rows: OnRows) -> None:
    """Once through the practice's rows in id order, each batch in a transaction of its own."""
    last: UUID | None = UUID(int=0)
    while last is not None:
        with practice_scope(rotation.practice_id, actor=ACTOR):
            batch = _locked_batch(column, rotation.number, last, batch_size)
            fresh = dict(_resealed(rotation, column, batch))
            _write(column, fresh)
        rotation.rows += len(fresh)
        if fresh:
            on_rows(len(fresh))
        last = batch[-1][0] if batch else None


_BATCH = (
    "SELECT id, {c} FROM {t} WHERE practice_id = %s AND {c} <> '' AND NOT starts_with({c}, %s) AND id > %s"
    " ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED"
)
_LEFT = "SELECT count(*) FROM {t} WHERE practice_id = %s AND {c} <> '' AND NOT starts_with({c}, %s)"
_UNDER = "SELECT count(*) FROM {t} WHERE practice_id = %s AND starts_with({c}, %s)"


def _locked_batch(column: _Column, number: int, after: UUID, size: int) -> list[tuple[UUID, str]]:
    """Rows nobody else is writing; until the transaction ends nobody else can."""
    return _rows(column, _BATCH, [active_practice_id(), _prefix(number), after, size])


def _resealed(rotation: Rotation, column: _Column, batch: list[tuple[UUID, str]]) -> Iterator[tuple[UUID, str]]:
    for row_id, raw in batch:
        try:
            plain = Ciphertext(raw, column.table, column.column).reveal(row_id)
        except EncryptionError:
            rotation.unreadable.add((column.table, row_id))
        else:
            yield row_id, seal(column.table, column.column, row_id, plain).raw


def _write(column: _Column, fresh: dict[UUID, str]) -> None:
    """Neither version nor updated_at moves: nothing that anybody can read has changed."""
    if fresh:
        with connection.cursor() as cursor:
            cursor.execute(
                column.sql(
                    "UPDATE {t} AS row SET {c} = fresh.value"
                    " FROM unnest(%s::uuid[], %s::text[]) AS fresh (id, value)"
                    " WHERE row.practice_id = %s AND row.id = fresh.id"
                ),
                [list(fresh), list(fresh.values()), active_practice_id()],
            )
        signals.fields_reencrypted.send(column.model, using=connection.alias)


def _count(query: str, column: _Column, number: int) -> int:
    [(count,)] = _rows(column, query, [active_practice_id(), _prefix(number)])
    return int(count)


def _rows(column: _Column, query: str, params: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(column.sql(query), params)
        return list(cursor.fetchall())


def _prefix(number: int) -> str:
    return f"{VERSION}:{number}:"
