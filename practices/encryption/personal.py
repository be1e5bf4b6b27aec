"""Secrets of people. A user belongs to no practice, so no practice's key may hold theirs, nor be shredded with it.

They are encrypted under FIELD_ENCRYPTION_KEYS themselves, in an envelope that names the column and the owner: in
another column, or in somebody else's row, the ciphertext is refused.
"""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models

from practices.encryption.errors import EncryptedValueMisplaced, EncryptedValueUnreadable
from practices.encryption.keys import installation_keys


class PersonalSecretField(models.TextField):  # type: ignore[type-arg]  # a str, as TextField's
    """Holds what `seal` made of a secret of the row's `owner`, and gives back just that: `open` it on purpose."""

    def __init__(self, *args: Any, owner: str = "user_id", **kwargs: Any) -> None:
        self.owner = owner
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "owner": self.owner}

    def seal(self, owner_id: UUID, secret: str) -> str:
        envelope = json.dumps([*self._place(owner_id), secret])
        return installation_keys().encrypt(envelope.encode()).decode()

    def open(self, row: models.Model) -> str:
        """The secret, if it was sealed for this column and this row's owner; raises an EncryptionError otherwise."""
        try:
            *place, secret = json.loads(installation_keys().decrypt(getattr(row, self.attname)))
        except InvalidToken as error:
            raise EncryptedValueUnreadable from error
        if place != self._place(getattr(row, self.owner)):
            raise EncryptedValueMisplaced
        return str(secret)

    def get_lookup(self, lookup_name: str) -> Any:
        raise FieldError(f"{self.name} is encrypted: it can't be looked up.")

    def _place(self, owner_id: UUID) -> list[str]:
        return [self.model._meta.db_table, str(self.column), str(owner_id)]


def rewrap_batch(field: PersonalSecretField, *, after: UUID, size: int) -> tuple[int, UUID | None]:
    """Puts the next rows' secrets under the first key, those with ids beyond `after`, and locks them until the end.

    Returns how many were not yet, and the last id; None when there was no row left. Call it in a platform scope.
    """
    first = Fernet(settings.FIELD_ENCRYPTION_KEYS[0])
    rows: models.QuerySet[Any] = models.QuerySet(field.model)
    batch = list(rows.filter(pk__gt=after).order_by("pk").select_for_update(no_key=True)[:size])
    rewrapped = 0
    for row in batch:
        sealed: str = getattr(row, field.attname)
        if not _opens(first, sealed):
            rows.filter(pk=row.pk).update(**{field.attname: _rotated(sealed)})
            rewrapped += 1
    return rewrapped, batch[-1].pk if batch else None


def personal_secrets() -> Iterator[PersonalSecretField]:
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, PersonalSecretField):
                yield field


def _opens(key: Fernet, sealed: str) -> bool:
    try:
        key.decrypt(sealed)
    except InvalidToken:
        return False
    return True


def _rotated(sealed: str) -> str:
    try:
        return installation_keys().rotate(sealed).decode()
    except InvalidToken as error:
        raise EncryptedValueUnreadable from error
