import os
import re
import subprocess
import sys
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client
from pytest_django.fixtures import Settings

from config.api.docs import openapi
from practices.models import Practice
from practices.tenancy import Actor, practice_scope
from tests.factories.accounts import PASSWORD, MembershipFactory

pytestmark = pytest.mark.django_db


def test_unknown_api_path_is_a_problem(client: Client) -> None:
    response = client.get("/api/v1/nothing")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"
    assert response["RateLimit"].startswith('"anonymous";r=59')


@pytest.mark.parametrize("path", ["schema", "docs", "docs?script=", "redoc", "meta"])
def test_documentation_is_served_without_login(client: Client, path: str) -> None:
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 200, response.content[:500]


FIRST = """
import sys, threading
import django
django.setup()
from django.test import Client
import config.urls
sys.setswitchinterval(1e-5)
answers = []
client = Client(raise_request_exception=False, SERVER_NAME="localhost")
ask = lambda: answers.append(client.get("/api/v1/schema").status_code)
threads = [threading.Thread(target=ask) for _ in range(6)]
for each in threads: each.start()
for each in threads: each.join()
print(*answers)
"""


def test_the_first_to_ask_a_process_for_the_contract_may_be_several() -> None:
    command = [sys.executable, "-c", FIRST]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    asked = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True)  # noqa: S603  # our own
    assert asked.stdout.splitlines()[-1] == "200 200 200 200 200 200", asked.stderr


def test_swagger_authorize_logs_in_with_username_and_password(practice: Practice) -> None:
    """Swagger UI posts the password form with an empty client in Basic, then sends the token as `Bearer`."""
    with practice_scope(practice, actor=Actor.system("tests")):
        member = MembershipFactory.create(roles=["owner"])
    flow = openapi()["components"]["securitySchemes"]["OAuth2"]["flows"]["password"]
    client = Client()
    answer = client.post(
        flow["tokenUrl"],
        urlencode({"grant_type": "password", "username": member.user.email, "password": PASSWORD, "scope": ""}),
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": "Basic Og==", "X-Requested-With": "XMLHttpRequest"},
    ).json()
    assert answer["token_type"] == "bearer"
    me = client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {answer['access_token']}"})
    assert me.json()["email"] == member.user.email


@pytest.mark.parametrize("path", ["docs", "redoc"])
def test_documentation_pages_run_under_a_strict_policy(path: str) -> None:
    response = Client().get(f"/api/v1/{path}")
    page = response.content.decode()
    assert re.findall(r"<script(?![^>]*src=)", page) == []
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", page) == []
    assert "script-src 'self'" in response["Content-Security-Policy"]


def test_configured_origins_may_call_and_read_the_headers(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.test"]
    origin = {"Origin": "https://app.example.test"}
    asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match,authorization"}
    preflight = Client().options("/api/v1/meta", headers={**origin, **asked})
    assert preflight["Access-Control-Allow-Origin"] == "https://app.example.test"
    assert "PATCH" in preflight["Access-Control-Allow-Methods"]
    assert {"if-match", "idempotency-key"} <= set(preflight["Access-Control-Allow-Headers"].split(", "))
    answer = Client().get("/api/v1/meta", headers=origin)
    assert {"ETag", "RateLimit", "Retry-After", "Idempotent-Replayed", "Location", "X-Request-ID"} <= set(
        answer["Access-Control-Expose-Headers"].split(", ")
    )
    assert "Access-Control-Allow-Origin" not in Client().get("/api/v1/meta", headers={"Origin": "https://evil.test"})
