"""Request ids, and what a line of the log holds and never holds."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import structlog
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django.fixtures import Settings

from config.api.signing import AccessToken
from config.logs import logging_configuration
from practices.models import Practice
from practices.tenancy import Actor, practice_scope

SECRET = "Zaphod-Beeblebrox"
USER = "01890000-0000-7000-8000-000000000001"


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError(f"{SECRET} broke it")


def duplicate(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::int", [SECRET])
    return HttpResponse()


def speak(request: HttpRequest) -> HttpResponse:
    structlog.get_logger("tests").info("inside")
    logging.getLogger("tests.plain").warning("counted %d", 3)
    return HttpResponse()


urlpatterns = [path("fail", fail), path("duplicate", duplicate), path("speak", speak), path("api/speak", speak)]


class Lines:
    """What was logged while the test ran, as JSON."""

    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, self.text.splitlines()) if line["event"] == event]


@pytest.fixture
def lines(settings: Settings) -> Iterator[Lines]:
    settings.ROOT_URLCONF = __name__
    stream = io.StringIO()
    configuration = logging_configuration(as_json=True, level="INFO")
    configuration["handlers"]["stderr"]["stream"] = stream
    logging.config.dictConfig(configuration)
    yield Lines(stream)
    logging.config.dictConfig(settings.LOGGING)
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("given", ["abc", "a" * 128, "0af7651916cd43dd8448eb211c80319c", "web:1/2+3=4@5_6.7-8"])
def test_request_id_of_safe_characters_is_kept(client: Client, given: str, lines: Lines) -> None:
    response = client.get("/speak", headers={"X-Request-ID": given})
    assert response["X-Request-ID"] == given
    assert lines.of("inside")[0]["request_id"] == given


@pytest.mark.parametrize("given", ["", "a" * 129, "two words", 'quote"d', "line\\n", "\u00e9", "<script>"])
def test_request_id_of_other_characters_is_replaced(client: Client, given: str, lines: Lines) -> None:
    made = client.get("/speak", headers={"X-Request-ID": given})["X-Request-ID"]
    assert made != given
    assert len(made) == 36
    assert lines.of("inside")[0]["request_id"] == made


@pytest.mark.parametrize(("address", "status"), [("/fail", 500), ("/nowhere", 404), ("/speak", 200)])
def test_every_response_carries_its_id(client: Client, address: str, status: int, lines: Lines) -> None:
    response = client.get(address, headers={"X-Request-ID": "r-1"})
    assert (response.status_code, response["X-Request-ID"]) == (status, "r-1")


def test_line_of_a_request_has_no_query_string(client: Client, lines: Lines) -> None:
    client.get(f"/speak?search={SECRET}", headers={"User-Agent": SECRET, "Authorization": f"Bearer {SECRET}"})
    (line,) = lines.of("request_finished")
    assert (line["request"], line["code"], line["level"]) == ("GET /speak", 200, "info")
    assert line["duration_ms"] >= 0
    assert SECRET not in lines.text
    assert lines.of("counted 3")[0]["request_id"] == line["request_id"]


def test_line_of_a_request_for_a_file_has_no_permission(client: Client, lines: Lines) -> None:
    client.get(f"/files/{SECRET}")
    assert lines.of("request_finished")[0]["request"] == "GET /files/..."
    assert SECRET not in lines.text


def test_exception_is_logged_without_its_message(client: Client, lines: Lines) -> None:
    client.get("/fail")
    (line,) = lines.of("request_failed")
    assert (line["exception"], line["level"]) == (["builtins.RuntimeError"], "error")
    assert line["traceback"][-1].endswith(" fail")
    assert SECRET not in lines.text


@pytest.mark.django_db
def test_database_error_is_logged_by_its_state(client: Client, lines: Lines) -> None:
    client.get("/duplicate")
    (line,) = lines.of("request_failed")
    assert line["sqlstate"] == psycopg.errors.InvalidTextRepresentation.sqlstate
    assert SECRET not in lines.text


@pytest.mark.django_db
def test_user_and_practice_are_bound_inside_and_at_the_end(client: Client, practice: Practice, lines: Lines) -> None:
    token = AccessToken()
    token["practice"], token["sub"] = str(practice.pk), USER
    client.get("/api/speak", headers={"Authorization": f"Bearer {token}"})
    for event in ("inside", "counted 3", "request_finished"):
        (line,) = lines.of(event)
        assert (line["practice_id"], line["user_id"]) == (str(practice.pk), USER)
    client.get("/speak")
    assert "practice_id" not in lines.of("request_finished")[1]


@pytest.mark.django_db
def test_line_of_a_job_names_its_practice(practice: Practice, lines: Lines) -> None:
    with practice_scope(practice, actor=Actor.system("tests")):
        logging.getLogger("tests.plain").warning("worked")
    assert lines.of("worked")[0]["practice_id"] == str(practice.pk)
