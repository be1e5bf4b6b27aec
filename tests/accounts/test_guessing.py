"""Guessing at passwords is slowed down, for whoever guesses and not for the people who belong there."""

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.core import signing
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tokens import refresh_token
from config.api import throttling
from practices.models import Practice
from practices.tenancy import Actor, practice_scope
from tests.accounts.hashers import CHEAP
from tests.attempts import forget_attempts
from tests.clients import session_for
from tests.factories.accounts import PASSWORD, MembershipFactory, UserFactory

TOKEN = "/api/v1/auth/token"
WRONG = "not-the-password"
BY = Actor.system("tests")
ADDRESSES = [f"198.51.100.{n}" for n in range(1, 10)]

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(practice: Practice, settings: Settings) -> User:
    settings.PASSWORD_HASHERS = CHEAP
    # By the hour, so that no minute ends in the middle of a test.
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "auth_address": "10/h", "auth_account": "5/h"}
    return member("front_desk", practice)


def member(role: str, practice: Practice) -> User:
    user = UserFactory.create(password=make_password(PASSWORD))
    with practice_scope(practice, actor=BY):
        MembershipFactory.create(user=user, roles=[role])
    return user


def attempt(user: User, password: str = WRONG, *, client: APIClient | None = None, ip: str, **body: Any) -> Any:
    body = {"grant_type": "password", "username": user.email, "password": password, **body}
    return (client or APIClient()).post(TOKEN, body, REMOTE_ADDR=ip)


def hammer(user: User) -> None:
    """What strangers do from everywhere, until nobody unknown is let through."""
    answers = [attempt(user, ip=ip).status_code for ip in ADDRESSES]
    assert (set(answers[:4]), set(answers[5:])) == ({401}, {429})


def test_stranger_does_not_lock_out_a_device_that_keeps_cookies(user: User) -> None:
    browser = APIClient()
    assert attempt(user, PASSWORD, client=browser, ip="203.0.113.1").status_code == 200
    hammer(user)
    assert attempt(user, PASSWORD, ip="203.0.113.1").status_code == 429
    assert attempt(user, PASSWORD, client=browser, ip="203.0.113.1").status_code == 200
    reset = browser.post("/api/v1/auth/password/reset", {"email": user.email}, REMOTE_ADDR="203.0.113.1")
    assert reset.status_code == 204


def test_stranger_does_not_lock_out_a_device_that_keeps_the_token(user: User) -> None:
    token = attempt(user, PASSWORD, ip="203.0.113.1").json()["device_token"]
    hammer(user)
    answer = attempt(user, PASSWORD, ip="203.0.113.1", device_token=token)
    assert answer.status_code == 200
    assert attempt(user, PASSWORD, ip="203.0.113.1", device_token=answer.json()["device_token"]).status_code == 200


def test_known_device_is_limited_by_itself(user: User) -> None:
    token = attempt(user, PASSWORD, ip="203.0.113.1").json()["device_token"]
    answers = [attempt(user, ip=ip, device_token=token).status_code for ip in ADDRESSES]
    assert answers == [401] * 5 + [429] * 4
    assert attempt(user, PASSWORD, ip="203.0.113.1").status_code == 200  # the strangers' count is theirs


def test_device_s_renewed_tokens_share_its_count(user: User) -> None:
    token = attempt(user, PASSWORD, ip="203.0.113.1").json()["device_token"]
    for _ in range(4):
        token = attempt(user, PASSWORD, ip="203.0.113.1", device_token=token).json()["device_token"]
    assert attempt(user, ip="203.0.113.1", device_token=token).status_code == 401
    assert attempt(user, ip="203.0.113.1", device_token=token).status_code == 429


def test_neighbours_behind_one_address_do_not_lock_out_a_known_device(user: User, practice: Practice) -> None:
    browser = APIClient()
    assert attempt(user, PASSWORD, client=browser, ip="203.0.113.1").status_code == 200
    for _ in range(3):
        other = member("biller", practice)
        answers = [attempt(other, ip="203.0.113.1").status_code for _ in range(4)]
    assert answers[-1] == 429
    assert attempt(user, PASSWORD, client=browser, ip="203.0.113.1").status_code == 200


def _forged(user: User, token: str) -> str:
    return signing.dumps(["0" * 32, "device"], salt="known-device", key="another-key-of-somebody-else")


def _bent(user: User, token: str) -> str:
    return token[:-2] + ("aa" if token[-2:] != "aa" else "bb")


def _for_another_purpose(user: User, token: str) -> str:
    return signing.dumps(signing.loads(token, salt="known-device"), salt="other")


def _of_no_shape(user: User, token: str) -> str:
    return signing.dumps({"a": 1}, salt="known-device")


@pytest.mark.parametrize("make", [_forged, _bent, _for_another_purpose, _of_no_shape])
def test_made_up_device_is_a_stranger(user: User, make: Any) -> None:
    token = attempt(user, PASSWORD, ip="203.0.113.1").json()["device_token"]
    answers = [attempt(user, ip=ip, device_token=make(user, token)).status_code for ip in ADDRESSES]
    assert answers[-1] == 429
    assert attempt(user, PASSWORD, ip="203.0.113.1", device_token=make(user, token)).status_code == 429


def test_device_of_one_account_is_a_stranger_to_another(user: User, practice: Practice) -> None:
    token = attempt(user, PASSWORD, ip="203.0.113.1").json()["device_token"]
    other = member("owner", practice)
    answers = [attempt(other, ip=ip, device_token=token).status_code for ip in ADDRESSES]
    assert answers == [401] * 5 + [429] * 4


def test_old_device_is_a_stranger(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    token = attempt(user, PASSWORD, ip="203.0.113.1").json()["device_token"]
    hammer(user)
    monkeypatch.setattr("config.api.devices.LIFETIME", -1)
    assert attempt(user, PASSWORD, ip="203.0.113.1", device_token=token).status_code == 429


def test_device_cookie_is_out_of_scripts_reach_and_names_nobody(user: User, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = True
    answer = attempt(user, PASSWORD, ip="203.0.113.1")
    (cookie,) = answer.cookies.values()
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"]) == (True, True, "Strict", "/")
    assert (cookie.value, cookie["max-age"]) == (answer.json()["device_token"], 90 * 86400)
    decoded = signing.loads(cookie.value, salt="known-device")
    assert user.email.partition("@")[0] not in f"{cookie.key} {decoded}"


def test_failed_login_makes_no_device_known(user: User) -> None:
    assert not attempt(user, ip="203.0.113.1").cookies


def test_admin_knows_its_devices_too(user: User) -> None:
    browser = Client(REMOTE_ADDR="203.0.113.1")
    form = {"username": user.email, "password": PASSWORD}
    assert browser.post("/admin/login/", form).status_code == 302
    hammer(user)
    browser.post("/admin/logout/")
    assert Client(REMOTE_ADDR="203.0.113.1").post("/admin/login/", form).status_code == 429
    assert browser.post("/admin/login/", form).status_code == 302


@pytest.mark.parametrize("forwarded", ["203.0.113.77", "127.0.0.1", "203.0.113.77, 10.0.0.1"])
def test_forwarded_addresses_of_strangers_make_no_new_count(
    user: User, practice: Practice, settings: Settings, forwarded: str
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "auth_account": "1000/h"}
    headers = [{"X-Forwarded-For": forwarded.replace("77", str(n))} for n in range(11)]
    body = {"grant_type": "password", "username": user.email, "password": WRONG}
    answers = [APIClient(headers=each).post(TOKEN, body, REMOTE_ADDR="198.51.100.7").status_code for each in headers]
    assert answers == [401] * 10 + [429]


def test_many_may_renew_behind_one_address(user: User, practice: Practice) -> None:
    for each in (user, member("biller", practice), member("provider", practice)):
        for _ in range(5):
            body = {"grant_type": "refresh_token", "refresh_token": refresh_token(session_for(each, practice))}
            answer = APIClient().post(TOKEN, body)
            assert (answer.status_code, answer["RateLimit-Policy"]) == (200, '"user";q=600;w=60')
    guesses = [APIClient().post(TOKEN, {**body, "refresh_token": f"a.b.{n}"}).status_code for n in range(11)]
    assert guesses == [401] * 10 + [429]
    assert APIClient().post(TOKEN, body).status_code == 200


def test_limits_hold_without_redis_for_known_devices_too(user: User, settings: Settings) -> None:
    token = attempt(user, PASSWORD, ip="203.0.113.1").json()["device_token"]
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    forget_attempts()
    try:
        hammer(user)
        answers = [attempt(user, ip="203.0.113.1", device_token=token).status_code for _ in range(6)]
        assert answers == [401] * 5 + [429]
    finally:
        throttling.breaker.reset()
        forget_attempts()
