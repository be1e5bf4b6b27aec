"""Idempotency-Key: a POST that is sent again gets the first answer instead of acting twice.

Everything happens in the request's transaction: the key is stored if and only if what the request did is stored.
"""

import datetime
import hashlib
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from config.api.problem import Conflict, ParameterProblem, Unprocessable

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_LENGTH = 255
LIFETIME = datetime.timedelta(hours=24)
STORED_HEADERS = ("Content-Type", "ETag", "Location")


def idempotency_key(request: Request) -> str | None:
    key = request.headers.get(HEADER)
    if key is not None and not 0 < len(key) <= MAX_LENGTH:
        raise ParameterProblem.of(HEADER, "invalid", f"Give a key of 1 to {MAX_LENGTH} characters.", "header")
    return key


@dataclass(frozen=True)
class Attempt:
    """One use of a key by one user. `replay()` first; after a successful answer `store()`."""

    user_id: Any
    key_hash: str
    fingerprint: str

    @classmethod
    def of(cls, request: Request, key: str, user_id: Any) -> "Attempt":
        body = request._request.body
        line = f"{request.method} {request._request.get_full_path()}\n".encode()
        key_hash = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
        return cls(user_id, key_hash, hashlib.sha256(line + body).hexdigest())

    def replay(self) -> HttpResponse | None:
        """The stored answer, if any. Raises when the key is in use right now or was used for another request."""
        self._lock()
        row = _model()._default_manager.filter(user_id=self.user_id, key_hash=self.key_hash).first()
        if row is None:
            return None
        if row.created_at < timezone.now() - LIFETIME:
            row.delete()
            return None
        if row.fingerprint != self.fingerprint:
            raise Unprocessable("This key was used for another request.", code="idempotency_key_reused")
        response = HttpResponse(row.body.encode(), status=row.status, headers=row.headers)
        response[REPLAYED] = "true"
        return response

    def store(self, response: HttpResponse) -> None:
        _model()._default_manager.create(
            user_id=self.user_id,
            key_hash=self.key_hash,
            fingerprint=self.fingerprint,
            status=response.status_code,
            headers={name: response[name] for name in STORED_HEADERS if name in response},
            body=response.content.decode(),
        )

    def _lock(self) -> None:
        """Held to the end of the transaction; the practice is the one PostgreSQL's row policies use."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_try_advisory_xact_lock("
                "hashtextextended(concat_ws(':', current_setting('app.practice_id', true), %s::text, %s::text), 0))",
                [str(self.user_id), self.key_hash],
            )
            (locked,) = cursor.fetchone()
        if not locked:
            raise Conflict(
                "A request with this key is still running.", code="request_in_progress", headers={"Retry-After": "1"}
            )


def _model() -> Any:
    return apps.get_model(settings.IDEMPOTENCY_MODEL)
