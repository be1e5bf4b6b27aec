"""Model fields whose column holds ciphertext, and the keyed hash that such a value is looked up by."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from django import forms
from django.core.exceptions import FieldError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models.lookups import IsNull
from django.db.models.query_utils import DeferredAttribute

from practices.encryption.errors import EncryptedValueMisplaced, EncryptedValueUnreadable
from practices.encryption.keys import KeyRing, Opened, active_ring
from practices.tenancy import active_practice_id

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

VERSION = "v1"


class Ciphertext:
    """A column's encrypted value, opened by `reveal`. It shows nothing, and forgets what it opened when pickled."""

    __slots__ = ("_plain", "column", "raw", "table")

    def __init__(self, raw: str, table: str, column: str, plain: str | None = None) -> None:
        self.raw, self.table, self.column, self._plain = raw, table, column, plain

    @property
    def key_number(self) -> int:
        return _key_and_token(self.raw)[0]

    def reveal(self, row_id: UUID | str) -> str:
        """The value, if it was written for this row of the active practice; raises an EncryptionError otherwise."""
        if self._plain is None:
            self._plain = _opened(self.raw, self.table, self.column, str(row_id))
        return self._plain

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ciphertext) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return "<encrypted>"

    def __reduce__(self) -> tuple[type["Ciphertext"], tuple[str, str, str]]:
        return Ciphertext, (self.raw, self.table, self.column)


def seal(table: str, column: str, row_id: UUID, value: str) -> Ciphertext:
    """The value encrypted for one place of the active practice. For writes that go around the ORM, such as COPY."""
    practice_id = active_practice_id()
    envelope = json.dumps([str(practice_id), table, column, str(row_id), value])
    number, token = active_ring().encrypt(envelope.encode())
    return Ciphertext(f"{VERSION}:{number}:{token.decode()}", table, column, value)


def _opened(raw: str, table: str, column: str, row_id: str) -> str:
    ring = active_ring()
    value, *place = ring.opened.get(raw) or ring.keep(raw, _decrypted(raw, ring))
    if place != [table, column, row_id]:
        raise EncryptedValueMisplaced
    return value


def _decrypted(raw: str, ring: KeyRing) -> Opened:
    practice_id, table, column, row_id, value = orjson.loads(ring.decrypt(*_key_and_token(raw)))
    if practice_id != ring.practice:
        raise EncryptedValueMisplaced
    return str(value), table, column, row_id


def _key_and_token(raw: str) -> tuple[int, bytes]:
    try:
        version, number, token = raw.split(":", 2)
        if version != VERSION:
            raise EncryptedValueUnreadable
        return int(number), token.encode()
    except ValueError as error:
        raise EncryptedValueUnreadable from error


class _LazyPlaintext(DeferredAttribute):
    """Opens the value when the attribute is read. `__dict__` keeps the Ciphertext, and so do copies of it."""

    def __get__(self, instance: models.Model | None, cls: type[models.Model] | None = None) -> Any:
        if instance is None:
            return self
        name = self.field.attname
        value = instance.__dict__[name] if name in instance.__dict__ else super().__get__(instance, cls)
        return value.reveal(instance.pk) if isinstance(value, Ciphertext) else value

    def __set__(self, instance: models.Model, value: object) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # a str, as TextField's
    """Text that the database sees only encrypted, bound to its practice, table, column and row.

    `None` and `""` are stored as they are. It can be filtered by `isnull` alone; to look a value up, put a
    BlindIndexField beside it. `update()` and `bulk_update()` refuse it: they don't know the row.
    """

    descriptor_class = _LazyPlaintext

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if refused := {"unique", "db_index", "primary_key"}.intersection(kwargs):
            raise TypeError(f"{sorted(refused)}: ciphertext never repeats; use a BlindIndexField.")
        super().__init__(*args, **kwargs)
        if self.max_length is not None:
            self.validators.append(MaxLengthValidator(self.max_length))

    def from_db_value(self, value: str | None, expression: object, connection: "BaseDatabaseWrapper") -> Any:
        return Ciphertext(value, self.model._meta.db_table, str(self.column)) if value else value

    def from_json(self, text: str | None, row_id: str) -> str | None:
        """The value of a row that PostgreSQL rendered as JSON."""
        return _opened(text, self.model._meta.db_table, str(self.column), row_id) if text else text

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, Ciphertext) else super().to_python(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Encrypts what was assigned; leaves alone what wasn't, unless its key was replaced meanwhile."""
        value = model_instance.__dict__.get(self.attname, "")
        if isinstance(value, Ciphertext):
            if value.key_number == active_ring().number:
                return value
            value = value.reveal(model_instance.pk)
        if not value:
            return value
        sealed = self._unchanged(model_instance, value) or self.seal(model_instance.pk, value)
        model_instance.__dict__[self.attname] = sealed
        return sealed

    def seal(self, row_id: UUID, value: str) -> Ciphertext:
        return seal(self.model._meta.db_table, str(self.column), row_id, value)

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Ciphertext):
            return value.raw
        if value:
            raise FieldError(f"{self.name} is encrypted for one row: assign it to the instance and save() that.")
        return value

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name == "isnull":
            return IsNull
        raise FieldError(f"{self.name} is encrypted: look it up by its blind index.")

    def get_transform(self, lookup_name: str) -> Any:
        return self.get_lookup(lookup_name)

    def formfield(self, *args: Any, **kwargs: Any) -> Any:
        """One line when the length is limited."""
        if self.max_length is not None:
            kwargs.setdefault("widget", forms.TextInput)
        return super().formfield(*args, **kwargs)

    def _unchanged(self, instance: models.Model, value: str) -> Ciphertext | None:
        """The ciphertext that was read, when the same value was assigned again: then nothing changed."""
        read = getattr(instance, "loaded_values", {}).get(self.attname)
        if not isinstance(read, Ciphertext) or read.key_number != active_ring().number:
            return None
        return read if read.reveal(instance.pk) == value else None


def blind_index(purpose: str, value: str) -> str:
    """A keyed hash of the value for the active practice: the same value gives the same index there, and only there."""
    key = active_ring().index
    digest = hmac.new(key, f"{purpose}\0{value}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class BlindIndexField(models.CharField):  # type: ignore[type-arg]  # a str, as CharField's
    """`blind_index` of another field's value, kept on save, so that an encrypted value can be found and compared.

    Save it together with its source: `update_fields` must name both. Empty for an empty value.
    """

    def __init__(
        self, source: str = "", *, purpose: str = "", normalise: Callable[[str], str] = str, **kwargs: Any
    ) -> None:
        self.source, self.purpose, self.normalise = source, purpose, normalise
        super().__init__(**{**kwargs, "max_length": 43, "editable": False, "blank": True, "db_collation": "C"})

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """A plain column in migrations: how it is filled is code's, not the schema's."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs

    def clone(self) -> Any:
        _, _, args, kwargs = self.deconstruct()
        return models.CharField(*args, **kwargs)

    def index_of(self, value: str) -> str:
        """What to compare the column with."""
        normalised = self.normalise(value)
        return blind_index(self.purpose, normalised) if normalised else ""

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        index = self.index_of(getattr(model_instance, self.source) or "")
        setattr(model_instance, self.attname, index)
        return index
