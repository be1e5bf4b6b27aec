"""The compose file, the image and .env.example fit the settings and each other; no Docker is needed to judge that."""

import re
from typing import Any

import pytest
import yaml
from django.conf import settings

from tests.platform.conftest import PROJECT

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
EXAMPLE = (PROJECT / ".env.example").read_text()
VARIABLE = re.compile(r"\$\{([A-Z_0-9]+)(:\?|:-)?([^}]*)\}")
OURS = ("migrate", "web", "worker")


def documented() -> set[str]:
    return set(re.findall(r"^#?([A-Z_0-9]+)=", EXAMPLE, re.MULTILINE))


def read_by_settings() -> set[str]:
    source = (PROJECT / "config" / "settings.py").read_text()
    return set(re.findall(r'env\.(?:str|bool|int|float|list)\(\s*"([A-Z_0-9]+)"', source))


def test_services_are_those_of_the_operators_guide() -> None:
    assert set(SERVICES) == {"postgres", "redis", *OURS}
    assert (SERVICES["postgres"]["image"], SERVICES["redis"]["image"]) == ("postgres:15", "redis:7")
    assert set(COMPOSE["volumes"]) == {"postgres-data", "redis-data"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_says_how_it_is(name: str) -> None:
    health = SERVICES[name]["healthcheck"]
    assert health == {"disable": True} if name == "migrate" else len(health["test"]) > 1


@pytest.mark.parametrize("name", ["web", "worker"])
def test_web_and_worker_wait_for_migrations_and_lack_the_owners_login(name: str) -> None:
    assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert "DATABASE_OWNER_URL" not in SERVICES[name]["environment"]
    assert "practice_owner" in SERVICES["migrate"]["environment"]["DATABASE_OWNER_URL"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_rights(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["environment"]["ENVIRONMENT"] == "production"


def test_no_secret_has_a_default() -> None:
    for name, kind, default in VARIABLE.findall((PROJECT / "docker-compose.yml").read_text()):
        if re.search(r"PASSWORD|SECRET|TOKEN|KEY", name):
            assert kind == ":?" or default == "", name
    for name in re.findall(r"^([A-Z_]+)=.+$", EXAMPLE, re.MULTILINE):
        pytest.fail(f"{name} has a value in .env.example that somebody might keep")


def test_env_example_documents_every_variable() -> None:
    assert read_by_settings() - documented() == set()
    compose = {name for name, _, _ in VARIABLE.findall((PROJECT / "docker-compose.yml").read_text())}
    assert compose - documented() == {"IMAGE_TAG"}


def test_containers_get_what_production_demands() -> None:
    given = set(SERVICES["web"]["environment"])
    assert given - read_by_settings() == set()
    assert {"SECRET_KEY", "JWT_SIGNING_KEY", "FIELD_ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL"} <= given


def test_image_runs_as_nobody_special_and_holds_only_code() -> None:
    stages = (PROJECT / "Dockerfile").read_text().split("\nFROM ")
    assert "\nUSER practice\n" in stages[-1]
    assert len(stages) == 3
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "**"
    assert {f"!{app}/**" for app in [*settings.OWN_APPS, "config"]} <= set(ignored)
