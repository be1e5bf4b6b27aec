"""`/healthz` and `/readyz`, answered before anything else: probes come without a valid host name, TLS or a login."""

from collections.abc import Callable, Mapping
from functools import lru_cache

import psycopg
import structlog
from django.core.cache import cache
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

logger = structlog.get_logger(__name__)
PROBE_SECONDS = 2


class HealthMiddleware:
    """`/healthz`: the process answers. `/readyz`: it can serve; 503 names what is down."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == "/healthz":
            return _answer({"status": "ok"}, 200)
        if request.path_info == "/readyz":
            checks = {**database_and_migrations(), "redis": redis()}
            ready = set(checks.values()) == {"ok"}
            return _answer({"status": "ok" if ready else "unavailable", "checks": checks}, 200 if ready else 503)
        return self.get_response(request)


def _answer(content: Mapping[str, object], status: int) -> JsonResponse:
    return JsonResponse(content, status=status, headers={"Cache-Control": "no-store"})


def _attempt(check: Callable[[], str], name: str) -> str:
    try:
        return check()
    except Exception as error:  # whatever the driver raises, the answer is the same
        logger.warning("not_ready", check=name, error=type(error).__name__)
        return "down"


def database_and_migrations() -> dict[str, str]:
    """Asked over a connection of its own: the pool would wait for seconds when the server is down."""
    states = {"database": "down", "migrations": "unknown"}
    try:
        parameters = {**connection.get_connection_params(), "connect_timeout": PROBE_SECONDS}
        with psycopg.connect(**parameters) as probe:
            states["database"] = "ok"
            applied = set(probe.execute("SELECT app, name FROM django_migrations").fetchall())
        states["migrations"] = "ok" if migrations_of_this_code() <= applied else "pending"
    except psycopg.Error as error:
        logger.warning("not_ready", check="database", error=type(error).__name__)
    return states


def redis() -> str:
    try:
        cache.get("readyz")
    except Exception as error:  # whatever the driver raises, the answer is the same
        logger.warning("not_ready", check="redis", error=type(error).__name__)
        return "down"
    return "ok"


@lru_cache(maxsize=1)
def migrations_of_this_code() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).graph.nodes)
