"""Refresh tokens in a cookie: for browsers that ask for it, on our own pages, out of every script's reach."""

from http.cookies import Morsel
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tokens import refresh_token
from practices.models import Practice
from practices.tenancy import Actor, practice_scope
from tests.clients import client_for, session_for
from tests.factories.accounts import PASSWORD, MembershipFactory

TOKEN = "/api/v1/auth/token"
LOGOUT = "/api/v1/auth/logout"
SWITCH = "/api/v1/auth/switch-practice"
ME = "/api/v1/auth/me"
OURS = {"Origin": "http://testserver"}
NAME = "refresh_token"
BY = Actor.system("tests")
FOREIGN = [
    None,
    "",
    "null",
    "http://testserver.evil.test",
    "https://testserver",
    "http://testserver:8000",
    "http://evil.test",
    "HTTP://TESTSERVER",
]

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(practice: Practice) -> User:
    return client_for("provider", practice).user


@pytest.fixture
def browser(user: User, practice: Practice) -> APIClient:
    """Holds the cookie of a login, as if it had asked for it."""
    client = APIClient()
    client.cookies[NAME] = refresh_token(session_for(user, practice))
    return client


def renew(client: APIClient, **headers: str) -> Any:
    return client.post(TOKEN, {"grant_type": "refresh_token"}, headers=headers)


def me(token: str) -> int:
    return APIClient().get(ME, headers={"Authorization": f"Bearer {token}"}).status_code


def test_login_that_asks_for_it_gets_the_token_in_a_cookie_only(user: User, settings: Settings) -> None:
    settings.REFRESH_COOKIE_SECURE = True
    client = APIClient()
    body = {"grant_type": "password", "username": user.email, "password": PASSWORD}
    answer = client.post(TOKEN, {**body, "cookie": True}, headers=OURS)
    assert (answer.status_code, answer.json()["refresh_token"]) == (200, "")
    assert me(answer.json()["access_token"]) == 200
    cookie: Morsel[str] = answer.cookies[NAME]
    assert {name: cookie[name] for name in ("path", "httponly", "secure", "samesite", "domain")} == {
        "path": "/api/v1/auth",
        "httponly": True,
        "secure": True,
        "samesite": "Strict",
        "domain": "",
    }
    assert 13 * 86400 < cookie["max-age"] <= 14 * 86400
    first = cookie.value
    renewed = renew(client, **OURS)
    assert (renewed.status_code, renewed.json()["refresh_token"]) == (200, "")
    assert first not in {"", renewed.cookies[NAME].value}
    assert me(renewed.json()["access_token"]) == 200


def test_login_that_does_not_ask_gets_no_cookie(user: User) -> None:
    body = {"grant_type": "password", "username": user.email, "password": PASSWORD}
    answer = APIClient().post(TOKEN, body, headers=OURS)
    assert answer.json()["refresh_token"].count(".") == 2
    assert NAME not in answer.cookies


@pytest.mark.parametrize("origin", FOREIGN)
def test_cookie_is_neither_given_to_nor_taken_from_other_pages(
    user: User, browser: APIClient, settings: Settings, origin: str | None
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.test"]
    headers = {} if origin is None else {"Origin": origin}
    login = {"grant_type": "password", "username": user.email, "password": PASSWORD, "cookie": True}
    switch = APIClient(headers={"Authorization": f"Bearer {renew(browser, **OURS).json()['access_token']}"})
    answers = [
        APIClient().post(TOKEN, login, headers=headers),
        renew(browser, **headers),
        browser.post(LOGOUT, headers=headers),
        switch.post(SWITCH, {"practice": "alder", "cookie": True}, headers=headers),
    ]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(403, "permission_denied")] * 4
    assert not any(NAME in each.cookies for each in answers)
    assert renew(browser, **OURS).status_code == 200


def test_cookie_serves_pages_of_allowed_origins(browser: APIClient, settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.test"]
    answer = renew(browser, Origin="https://app.example.test")
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == "https://app.example.test"
    assert answer["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize(
    ("path", "origin", "credentials"),
    [
        (TOKEN, "https://app.example.test", "true"),
        (TOKEN, "https://evil.test", None),
        ("/api/v1/patients", "https://app.example.test", None),
        ("/api/v1/authority", "https://app.example.test", None),
    ],
)
def test_other_origins_may_send_cookies_where_the_cookie_is_used(
    settings: Settings, path: str, origin: str, credentials: str | None
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.test"]
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    assert Client().options(path, headers=asked).get("Access-Control-Allow-Credentials") == credentials


def test_logout_ends_the_cookie_s_session_and_takes_the_cookie_away(browser: APIClient) -> None:
    access = renew(browser, **OURS).json()["access_token"]
    answer = browser.post(LOGOUT, headers=OURS)
    assert (answer.status_code, me(access)) == (204, 401)
    cookie = answer.cookies[NAME]
    assert (cookie.value, cookie["max-age"], cookie["path"]) == ("", 0, "/api/v1/auth")
    assert browser.post(LOGOUT, headers=OURS).status_code == 400  # nothing left to end


def test_token_in_the_body_goes_before_the_cookie(browser: APIClient, user: User, practice: Practice) -> None:
    other = refresh_token(session_for(user, practice))
    answer = browser.post(TOKEN, {"grant_type": "refresh_token", "refresh_token": other})
    assert (answer.status_code, NAME in answer.cookies) == (200, False)
    assert answer.json()["refresh_token"] != ""
    assert browser.post(LOGOUT, {"refresh_token": other}).status_code == 204
    assert renew(browser, **OURS).status_code == 200


def test_nonsense_in_the_cookie_is_refused(browser: APIClient) -> None:
    for value in ("x", "a.b.c", "x" * 4000):
        browser.cookies[NAME] = value
        assert renew(browser, **OURS).json()["code"] == "invalid_credentials"
        assert browser.post(LOGOUT, headers=OURS).status_code == 204


def test_changed_password_renews_the_cookie(browser: APIClient) -> None:
    browser.credentials(HTTP_AUTHORIZATION=f"Bearer {renew(browser, **OURS).json()['access_token']}")
    before = browser.cookies[NAME].value
    body = {"current_password": PASSWORD, "new_password": "a-rather-rare-sentence"}
    answer = browser.post("/api/v1/auth/password/change", body)
    assert (answer.status_code, answer.json()["refresh_token"]) == (200, "")
    assert answer.cookies[NAME].value not in {"", before}
    assert renew(browser, **OURS).status_code == 200


def test_switched_practice_may_keep_its_token_in_the_cookie(
    user: User, browser: APIClient, other_practice: Practice
) -> None:
    with practice_scope(other_practice, actor=BY):
        MembershipFactory.create(user=user, roles=["biller"])
    before = renew(browser, **OURS).json()["access_token"]
    browser.credentials(HTTP_AUTHORIZATION=f"Bearer {before}")
    kept = browser.post(SWITCH, {"practice": "birch"}, headers=OURS)
    assert (kept.status_code, me(before)) == (200, 200)
    answer = browser.post(SWITCH, {"practice": "birch", "cookie": True}, headers=OURS)
    assert (answer.status_code, answer.json()["refresh_token"]) == (200, "")
    assert me(before) == 401  # nobody holds a refresh token of it any more
    assert renew(browser, **OURS).json()["practice"]["slug"] == "birch"
