"""`/healthz` and `/readyz`, answered before anything else: probes come without a valid host name, TLS or a login."""

from collections.abc import Callable
from functools import lru_cache

import structlog
from django.core.cache import cache
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

logger = structlog.get_logger(__name__)


class HealthMiddleware:
    """`/healthz`: the process answers. `/readyz`: it can serve; 503 names what is down."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == "/healthz":
            return _answer({"status": "ok"}, 200)
        if request.path_info == "/readyz":
            checks = {"database": database(), "migrations": migrations(), "redis": redis()}
            ready = set(checks.values()) == {"ok"}
            return _answer({"status": "ok" if ready else "unavailable", "checks": checks}, 200 if ready else 503)
        return self.get_response(request)


def _answer(content: dict[str, object], status: int) -> JsonResponse:
    return JsonResponse(content, status=status, headers={"Cache-Control": "no-store"})


def _attempt(check: Callable[[], str], name: str) -> str:
    try:
        return check()
    except Exception as error:  # whatever the driver raises, the answer is the same
        logger.warning("not_ready", check=name, error=type(error).__name__)
        return "down"


def database() -> str:
    return _attempt(_select_one, "database")


def migrations() -> str:
    return _attempt(_compare_migrations, "migrations")


def redis() -> str:
    return _attempt(_ping_redis, "redis")


def _select_one() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _compare_migrations() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = set(cursor.fetchall())
    return "ok" if _migrations_of_this_code() <= applied else "pending"


@lru_cache(maxsize=1)
def _migrations_of_this_code() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).graph.nodes)


def _ping_redis() -> str:
    cache.get("readyz")
    return "ok"
