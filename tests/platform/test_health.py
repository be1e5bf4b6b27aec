import socket

import pytest
from django.db import connections
from django.test import Client
from pytest_django.fixtures import Settings

from tests.platform.conftest import Run

READY = {"status": "ok", "checks": {"database": "ok", "migrations": "ok", "redis": "ok"}}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_healthz_needs_no_host_name_and_no_tls(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    response = Client(headers={"Host": "10.1.2.3"}).get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert response["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_readyz_when_all_is_up() -> None:
    response = Client().get("/readyz")
    assert (response.status_code, response.json()) == (200, READY)


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_readyz_names_migrations_that_wait() -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions' RETURNING app, name, applied")
        removed = cursor.fetchall()
    try:
        response = Client().get("/readyz")
    finally:
        with connections["owner"].cursor() as cursor:
            cursor.executemany("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", removed)
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "ok", "migrations": "pending", "redis": "ok"}


@pytest.mark.django_db
def test_readyz_names_redis_when_it_is_down(settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": f"redis://127.0.0.1:{free_port()}/0"}}
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "ok", "migrations": "ok", "redis": "down"}


@pytest.mark.machinery
def test_readyz_names_the_database_when_it_is_down(run: Run, settings: Settings) -> None:
    url = f"postgres://nobody:secret@127.0.0.1:{free_port()}/nothing"
    code = (
        "import django; django.setup()\n"
        "from django.test import Client\n"
        "response = Client().get('/readyz')\n"
        "print(response.status_code, response.json()['checks'])"
    )
    addresses = {"DATABASE_URL": url, "DATABASE_OWNER_URL": url, "REDIS_URL": settings.REDIS_URL}
    done = run("-c", code, DJANGO_SETTINGS_MODULE="config.settings", LOG_JSON="true", **addresses)
    assert done.stdout == "503 {'database': 'down', 'migrations': 'unknown', 'redis': 'ok'}\n"
    assert "secret" not in done.stderr
