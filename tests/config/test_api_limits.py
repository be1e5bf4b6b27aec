"""Rate limits: exact, told in headers, and without Redis neither an outage nor an open door."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from config.api import throttling
from config.api.attempts import Count, count_attempt
from config.api.client import client_address
from practices.models import Practice
from tests.attempts import forget_attempts
from tests.config.conftest import Login

LIST = "/api/v1/locations"
ECHO = "/api/v1/echo"
LOGIN = "/api/v1/login"


@pytest.fixture(autouse=True)
def limits(settings: Settings, db: None) -> Iterator[None]:
    settings.RATELIMIT_ENABLE = True
    settings.RATE_LIMITS = {"user": "5/h", "anonymous": "3/h", "auth_address": "4/h", "auth_account": "2/h"}
    throttling.breaker.reset()
    forget_attempts()
    yield
    throttling.breaker.reset()
    forget_attempts()


def attempt(client: Client, username: str, **kwargs: str) -> int:
    return client.post(LOGIN, {"username": username}, "application/json", **kwargs).status_code  # type: ignore[arg-type]  # META


def test_user_is_limited_and_told_so(client: Client) -> None:
    first = client.get(LIST)
    assert first["RateLimit-Policy"] == '"user";q=5;w=3600'
    assert first["RateLimit"].startswith('"user";r=4;t=')
    assert [client.get(LIST).status_code for _ in range(5)] == [200, 200, 200, 200, 429]
    refused = client.get(LIST)
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused["Retry-After"]) <= 3600
    assert refused["RateLimit"].startswith('"user";r=0;t=')


def test_users_at_one_address_do_not_share_a_limit(practice: Practice, login: Login) -> None:
    one, two = uuid4(), uuid4()
    for _ in range(6):
        last = login(practice, one).get(LIST).status_code
    assert last == 429
    assert login(practice, two).get(LIST).status_code == 200


def test_anonymous_callers_are_limited_by_address(nobody: Client) -> None:
    assert [nobody.get(ECHO).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert nobody.get(ECHO, REMOTE_ADDR="203.0.113.9").status_code == 200


def test_bad_tokens_are_limited_by_address(nobody: Client) -> None:
    answers = [nobody.get(LIST, headers={"Authorization": "Basic x"}).status_code for _ in range(4)]
    assert answers == [401, 401, 401, 429]


def test_ipv6_neighbours_share_a_limit(nobody: Client) -> None:
    answers = [nobody.get(ECHO, REMOTE_ADDR=f"2001:db8::{i:x}").status_code for i in range(4)]
    assert answers == [200, 200, 200, 429]


def test_logging_in_is_limited_per_account_from_anywhere(nobody: Client) -> None:
    assert attempt(nobody, "a@b.test", REMOTE_ADDR="192.0.2.1") == 200
    assert attempt(nobody, " A@B.test", REMOTE_ADDR="192.0.2.2") == 200
    assert attempt(nobody, "a@b.test", REMOTE_ADDR="192.0.2.3") == 429
    assert attempt(nobody, "c@b.test", REMOTE_ADDR="192.0.2.3") == 200


def test_logging_in_is_limited_per_address_over_accounts(nobody: Client) -> None:
    assert [attempt(nobody, f"{i}@b.test") for i in range(5)] == [200, 200, 200, 200, 429]


@pytest.mark.parametrize("body", [b"[1]", b'{"username": 7}', b"{", b'{"username": "\\u0000"}', b'{"username": ["a"]}'])
def test_odd_login_bodies_count_too(nobody: Client, body: bytes) -> None:
    answers = [nobody.generic("POST", LOGIN, body, "application/json").status_code for _ in range(5)]
    assert answers[-1] == 429
    assert all(answer in {200, 400} for answer in answers[:-1])


def test_limit_is_exact_under_parallel_requests(settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "user": "100/h"}
    request = RequestFactory().get("/")
    limit = throttling.user_limit("somebody")
    with ThreadPoolExecutor(16) as pool:
        usages = list(pool.map(lambda _: throttling.consume(request, [limit])[0], range(300)))
    assert sum(not usage.exceeded for usage in usages) == 100


def test_turned_off_limits_count_nothing(client: Client, settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False
    assert {client.get(LIST).status_code for _ in range(7)} == {200}
    assert "RateLimit" not in client.get(LIST)


@pytest.fixture(params=["refuses", "hangs"])
def no_redis(request: pytest.FixtureRequest, settings: Settings) -> Iterator[None]:
    """A port nobody listens on, and one that takes the connection and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "hangs":
            listener.listen(64)
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": url}}
        yield


@pytest.mark.usefixtures("no_redis")
def test_without_redis_requests_go_on_unlimited_and_soon(client: Client) -> None:
    begun = time.monotonic()
    assert {client.get(LIST).status_code for _ in range(8)} == {200}
    assert client.post(LIST, {"name": "x"}, "application/json").status_code == 201
    assert time.monotonic() - begun < 3


@pytest.mark.usefixtures("no_redis")
def test_without_redis_logging_in_stays_limited(nobody: Client) -> None:
    assert [attempt(nobody, "a@b.test") for _ in range(3)] == [200, 200, 429]
    assert [attempt(nobody, f"{i}@b.test") for i in range(2)] == [200, 429]


@pytest.mark.usefixtures("no_redis")
def test_without_redis_limits_are_exact_under_parallel_requests(settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "auth_account": "20/h"}
    request, limit = RequestFactory().get("/"), throttling.Limit("auth_account", "somebody", closed=True)
    with ThreadPoolExecutor(8) as pool:
        usages = list(pool.map(lambda _: throttling.consume(request, [limit])[0], range(60)))
    assert sorted(usage.count for usage in usages) == list(range(1, 61))
    assert sum(not usage.exceeded for usage in usages) == 20


ANOTHER_PROCESS = """
from config.api.attempts import count_attempt
print([count_attempt("auth_account", "somebody", 86400).count for _ in range(3)])
"""


def test_without_redis_processes_share_a_count() -> None:
    database = connection.settings_dict
    url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(
        {**database, "HOST": quote(database["HOST"], "")}
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "DATABASE_URL": url}
    assert count_attempt("auth_account", "somebody", 86400).count == 1
    done = subprocess.run(  # noqa: S603  # ours
        [sys.executable, "-c", ANOTHER_PROCESS], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "[2, 3, 4]\n", done.stderr
    assert count_attempt("auth_account", "somebody", 86400).count == 5


def test_attempts_are_counted_anew_when_their_window_is_over_and_then_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for now, one in ((1000, 1), (1059, 2), (1079, 3), (1080, 1)):
        monkeypatch.setattr("config.api.attempts.time.time", lambda now=now: now)
        assert count_attempt("auth_account", "one", 60 * 3) == Count(one, (now // 180 + 1) * 180 - now)
        assert count_attempt("auth_account", f"other {now}", 60).count == 1
    assert all_attempts() == 2


def all_attempts() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_attempt")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("remote", "forwarded", "proxies", "expected"),
    [
        ("198.51.100.1", "10.0.0.9", [], "198.51.100.1"),
        ("198.51.100.1", "10.0.0.9", ["127.0.0.1/32"], "198.51.100.1"),
        ("127.0.0.1", "203.0.113.5", ["127.0.0.1/32"], "203.0.113.5"),
        ("127.0.0.1", "1.2.3.4, 203.0.113.5, 10.1.2.3", ["127.0.0.1", "10.0.0.0/8"], "203.0.113.5"),
        ("127.0.0.1", "203.0.113.5, nonsense", ["127.0.0.1"], "127.0.0.1"),
        ("127.0.0.1", "", ["127.0.0.1"], "127.0.0.1"),
        ("::ffff:203.0.113.5", "", [], "203.0.113.5"),
        ("", "203.0.113.5", ["127.0.0.1"], ""),
    ],
)
def test_forwarded_address_counts_as_far_as_proxies_are_trusted(
    settings: Settings, remote: str, forwarded: str, proxies: list[str], expected: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR=remote, headers={"X-Forwarded-For": forwarded})
    assert client_address(request) == expected


@pytest.mark.parametrize(
    ("rate", "parsed"), [("600/m", (600, 60)), ("5/10m", (5, 600)), ("1/s", (1, 1)), ("2/h", (2, 3600))]
)
def test_rates_are_read(rate: str, parsed: tuple[int, int]) -> None:
    assert throttling.parse_rate(rate) == parsed
