"""Opens what the practices' keys sealed. Keys are read once and stay in memory; plain Python, for the DRF side too."""

import base64
import json
from collections.abc import Iterable
from uuid import UUID

from cryptography.fernet import Fernet, MultiFernet

_rings: dict[UUID, dict[int, Fernet]] = {}


def ring_of(practice_id: UUID) -> dict[int, Fernet] | None:
    """The practice's keys by number; None until `remember` was called."""
    return _rings.get(practice_id)


def remember(practice_id: UUID, keys: Iterable[tuple[int, str]], secrets: str) -> dict[int, Fernet]:
    """`keys` are (number, wrapped) of the practice's data keys, `secrets` the installation's, separated by commas."""
    installation = MultiFernet([Fernet(secret) for secret in secrets.split(",")])
    opened = ((number, json.loads(installation.decrypt(wrapped))[3]) for number, wrapped in keys)
    ring = {number: Fernet(base64.urlsafe_b64encode(base64.b64decode(key))) for number, key in opened}
    _rings[practice_id] = ring
    return ring


def reveal(ring: dict[int, Fernet], practice_id: UUID, table: str, column: str, row_id: UUID, sealed: str) -> str:
    """The text of an encrypted column; raises ValueError when it was sealed for another place."""
    _, number, token = sealed.split(":", 2)
    *place, value = json.loads(ring[int(number)].decrypt(token))
    if place != [str(practice_id), table, column, str(row_id)]:
        raise ValueError("This was sealed for another row.")
    return str(value)
