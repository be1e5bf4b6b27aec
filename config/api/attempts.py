"""Attempts counted in PostgreSQL while Redis is away, so that all processes share one count."""

import hashlib
import time
from dataclasses import dataclass

from django.db import connection

# The table has no model: this is all that is ever done with it.
_COUNT = """
    INSERT INTO accounts_attempt AS a (key, ends_at, count) VALUES (%(key)s, %(ends_at)s, 1)
    ON CONFLICT (key) DO UPDATE SET
      count = CASE WHEN a.ends_at <= %(now)s THEN 1 ELSE a.count + 1 END,
      ends_at = CASE WHEN a.ends_at <= %(now)s THEN excluded.ends_at ELSE a.ends_at END
    RETURNING count, ends_at
"""
_FORGET = """
    DELETE FROM accounts_attempt WHERE key IN (
      SELECT key FROM accounts_attempt WHERE ends_at <= %s ORDER BY ends_at LIMIT 10 FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Count:
    """`reset` is in how many seconds the window ends."""

    count: int
    reset: int


def count_attempt(name: str, value: str, window: int) -> Count:
    """Adds one to what was counted in the present window of so many seconds. On a connection of its own.

    The request's transaction may be rolled back, and a count has to stay; so it waits for nobody's commit either.
    Opening a connection costs less than the password hash that follows.
    """
    now = int(time.time())
    key = hashlib.sha256(f"{name}:{value}".encode(errors="replace")).hexdigest()
    apart = connection.copy()
    try:
        with apart.cursor() as cursor:
            cursor.execute(_COUNT, {"key": key, "now": now, "ends_at": (now // window + 1) * window})
            count, ends_at = cursor.fetchone()
            if count == 1:  # for each that comes ten go, by a statement of their own that waits for no other
                cursor.execute(_FORGET, [now])
    finally:
        apart.close()
    return Count(count, ends_at - now)
