"""A practice's keys: made on first use, kept in memory for a few seconds, destroyed to shred what they encrypted."""

import base64
import itertools
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from practices.encryption.errors import EncryptedValueUnreadable, KeysDestroyed, KeyUnreadable
from practices.models.key import PracticeKey
from practices.tenancy import NoActivePractice, ScopeError, active_practice_id, current_scope

KEY_CACHE_SECONDS = 10.0
"""For how long another process may still encrypt with a key that was replaced, or decrypt with one destroyed."""
KEY_CACHE_PRACTICES = 500
OPENED_VALUES = 200
"""Of a practice, opened lately: kept as long as the key beside them, which could open them anyway."""


Opened = tuple[str, str, str, str]
"""A value, and the table, column and row that it belongs to."""


@dataclass(slots=True)
class KeyRing:
    """A practice's keys, opened. `number` is the data key that encrypts."""

    practice: str
    number: int
    data: dict[int, Fernet] = field(repr=False)
    index: bytes = field(repr=False)
    opened: dict[str, Opened] = field(default_factory=dict, repr=False)

    def encrypt(self, plain: bytes) -> tuple[int, bytes]:
        return self.number, self.data[self.number].encrypt(plain)

    def decrypt(self, number: int, token: bytes) -> bytes:
        try:
            return self.data[number].decrypt(token)
        except (KeyError, InvalidToken) as error:
            raise EncryptedValueUnreadable from error

    def keep(self, raw: str, opened: Opened) -> Opened:
        """People look at the same page again and again: what was opened a moment ago needs no opening again."""
        if len(self.opened) >= OPENED_VALUES:
            self.opened.clear()
        self.opened[raw] = opened
        return opened


@dataclass(slots=True)
class _Changed:
    """Keys as this transaction changed them (None: destroyed). It waits among the transaction's on-commit callbacks,
    so it is forgotten exactly when a rollback undoes the change.
    """

    practice_id: UUID
    ring: KeyRing | None

    def __call__(self) -> None:
        forget(self.practice_id)


_cache: OrderedDict[UUID, tuple[float, KeyRing]] = OrderedDict()
_cache_lock = threading.Lock()
_changes = itertools.count(1)
_last_change = 0
"""Another number after each change of keys in this process, committed or not: what a scope holds may be over then."""
_HELD = "the practice's keys"


def active_ring() -> KeyRing:
    """The active practice's keys. A page opens a hundred values with them: its scope holds on to them."""
    scope = current_scope()
    if scope is not None and (held := scope.remembered.get(_HELD)) is not None:
        ring, expires, change = held
        if change == _last_change and expires > time.monotonic():
            return cast("KeyRing", ring)
    return ring_of(active_practice_id())


def ring_of(practice_id: UUID) -> KeyRing:
    """The practice's keys; only inside its scope. One query when they aren't in memory."""
    if practice_id != active_practice_id():
        raise ScopeError("Another practice's encrypted value can't be opened here.")
    if connection.run_on_commit and (changed := _changed_in_this_transaction(practice_id)) is not None:
        if changed.ring is None:
            raise KeysDestroyed
        return changed.ring
    change = _last_change
    expires, ring = _cache.get(practice_id, (0.0, None))
    if ring is not None and expires > time.monotonic():
        if scope := current_scope():
            scope.remembered[_HELD] = (ring, expires, change)
        return ring
    return _load(practice_id) or _make(practice_id)


def forget(practice_id: UUID) -> None:
    """Drops the keys from this process's memory."""
    with _cache_lock:
        _cache.pop(practice_id, None)
    _hold_no_longer()


def _hold_no_longer() -> None:
    global _last_change
    _last_change = next(_changes)


def add_data_key() -> int:
    """The active practice's next data key, which encrypts from now on. Returns its number."""
    practice_id = active_practice_id()
    ring_of(practice_id)
    keys = PracticeKey.objects.select_for_update().filter(kind=PracticeKey.Kind.DATA)
    number: int = max(key.number for key in keys) + 1
    _create(PracticeKey.Kind.DATA, number)
    _remember_until_commit(practice_id)
    return number


def rewrap() -> int:
    """Wraps the active practice's keys in the first of FIELD_ENCRYPTION_KEYS. Returns how many were not yet."""
    first = MultiFernet([Fernet(settings.FIELD_ENCRYPTION_KEYS[0])])
    rewrapped = 0
    for key in PracticeKey.objects.select_for_update().exclude(wrapped=""):
        try:
            first.decrypt(key.wrapped)
        except InvalidToken:
            key.wrapped = _wrap(key, _unwrap(key))
            key.save(update_fields=["wrapped", "updated_at"])
            rewrapped += 1
    return rewrapped


def shred() -> int:
    """Destroys the active practice's keys: nothing encrypted with them can be read again, by anybody.

    Backups hold the wrapped keys too: those made before are shredded once FIELD_ENCRYPTION_KEYS was replaced.
    """
    practice_id = active_practice_id()
    destroyed = _destroy(lambda key: True)
    _change_on_commit(practice_id, None)
    return destroyed


def destroy_retired(numbers: set[int]) -> int:
    """Destroys data keys of the active practice that no row needs any more."""
    return _destroy(lambda key: key.kind == PracticeKey.Kind.DATA and key.number in numbers)


def _destroy(chosen: Callable[[PracticeKey], bool]) -> int:
    keys = [key for key in PracticeKey.objects.select_for_update().exclude(wrapped="") if chosen(key)]
    for key in keys:
        key.wrapped, key.destroyed_at = "", timezone.now()
        key.save(update_fields=["wrapped", "destroyed_at", "updated_at"])
    return len(keys)


def _changed_in_this_transaction(practice_id: UUID) -> _Changed | None:
    calls = [call for _, call, *_ in reversed(connection.run_on_commit)]
    return next((call for call in calls if isinstance(call, _Changed) and call.practice_id == practice_id), None)


def _load(practice_id: UUID) -> KeyRing | None:
    """From the table into memory; None when the practice has no keys yet. Those that are over go, with what they
    opened.
    """
    ring = _read()
    if ring is not None:
        with _cache_lock:
            _cache[practice_id] = (time.monotonic() + KEY_CACHE_SECONDS, ring)
            _cache.move_to_end(practice_id)
            while _cache and (len(_cache) > KEY_CACHE_PRACTICES or _oldest_is_over()):
                _cache.popitem(last=False)
    return ring


def _oldest_is_over() -> bool:
    expires, _ = next(iter(_cache.values()))
    return expires < time.monotonic()


def _read() -> KeyRing | None:
    keys = list(PracticeKey.objects.all())
    if not keys:
        return None
    data = {key.number: Fernet(base64.urlsafe_b64encode(_unwrap(key))) for key in keys if _opens(key, "data")}
    index = next((_unwrap(key) for key in keys if _opens(key, "index")), None)
    if not data or index is None:
        raise KeysDestroyed
    return KeyRing(practice=str(active_practice_id()), number=max(data), data=data, index=index)


def _opens(key: PracticeKey, kind: str) -> bool:
    return key.kind == kind and key.wrapped != ""


def _make(practice_id: UUID) -> KeyRing:
    """Both first keys. Whoever comes second waits for the first one's commit and takes theirs."""
    try:
        with transaction.atomic():
            for kind in PracticeKey.Kind.values:
                _create(kind, 1)
    except IntegrityError:
        ring = _load(practice_id)
        if ring is None:
            raise NoActivePractice from None
        return ring
    return _remember_until_commit(practice_id)


def _create(kind: str, number: int) -> None:
    key = PracticeKey(kind=kind, number=number)
    key.wrapped = _wrap(key, secrets.token_bytes(32))
    key.save(force_insert=True)


def _remember_until_commit(practice_id: UUID) -> KeyRing:
    ring = _read()
    if ring is None:
        raise NoActivePractice
    _change_on_commit(practice_id, ring)
    return ring


def _change_on_commit(practice_id: UUID, ring: KeyRing | None) -> None:
    transaction.on_commit(_Changed(practice_id, ring))
    _hold_no_longer()


def _wrap(key: PracticeKey, material: bytes) -> str:
    envelope = [str(key.practice_id), key.kind, key.number, base64.b64encode(material).decode()]
    return installation_keys().encrypt(json.dumps(envelope).encode()).decode()


def _unwrap(key: PracticeKey) -> bytes:
    try:
        practice, kind, number, material = json.loads(installation_keys().decrypt(key.wrapped))
    except InvalidToken as error:
        raise KeyUnreadable from error
    if (practice, kind, number) != (str(key.practice_id), key.kind, key.number):
        raise KeyUnreadable
    return base64.b64decode(material)


def installation_keys() -> MultiFernet:
    """FIELD_ENCRYPTION_KEYS: the first encrypts, all decrypt."""
    return _multi_fernet(tuple(settings.FIELD_ENCRYPTION_KEYS))


@lru_cache(maxsize=4)
def _multi_fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
