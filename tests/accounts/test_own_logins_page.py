"""The admin's page of one's own logins: seen and ended wherever they are, on the platform too."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client

from accounts.admin_session import LOGIN, PROVEN
from accounts.models import User
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_for, client_of
from tests.factories.accounts import PASSWORD, MembershipFactory, UserFactory
from tests.rows import SETUP

PAGE = "/admin/logins/"
ME = "/api/v1/auth/me"
SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/17.5 Safari/605.1.15"
)
DONE = "The login has ended."

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(practice: Practice) -> MemberClient:
    return client_for("owner", practice)


@pytest.fixture
def root() -> User:
    return UserFactory.create(is_superuser=True)


def logged_in(user: User) -> Client:
    """As far as the platform, for a superuser."""
    browser = Client(headers={"User-Agent": SAFARI}, REMOTE_ADDR="203.0.113.7")
    browser.post("/admin/login/", {"username": user.email, "password": PASSWORD})
    if user.is_superuser:
        session = browser.session
        session[PROVEN] = True
        session.save()
    return browser


def shown(browser: Client) -> list[str]:
    """The text of each login, the present one first."""
    items = re.findall(r"<li>(.*?)</li>", browser.get(PAGE).content.decode(), re.DOTALL)
    return [html.unescape(" ".join(re.sub(r"<[^>]+>", " ", item).split())) for item in items]


def keys(browser: Client) -> list[str]:
    return re.findall(r'name="login"[^>]*value="([^"]+)"', browser.get(PAGE).content.decode())


def end(browser: Client, key: str) -> Any:
    return browser.post(PAGE, {"login": key}, follow=True).content.decode()


def is_in(browser: Client) -> bool:
    return browser.get("/admin/").status_code == 200


def test_logins_of_all_practices_are_shown_and_end_one_by_one(
    api: MemberClient, practice: Practice, other_practice: Practice
) -> None:
    browser = logged_in(api.user)
    with practice_scope(other_practice, actor=SETUP):
        MembershipFactory.create(user=api.user, roles=["biller"])
    elsewhere = client_of(api.user, other_practice)
    first, *others = shown(browser)
    assert first.startswith(f"Safari on Mac OS X (this one) Here in the admin, {practice.name} Last used 0")
    assert first.endswith("ago from 203.0.113.7")
    assert {each.partition(" Last used")[0] for each in others} == {
        f"An unknown device In an app, {practice.name}",
        f"An unknown device In an app, {other_practice.name}",
    }
    assert set(keys(browser)) == {str(api.login_session.pk), str(elsewhere.login_session.pk), "others"}
    assert DONE in end(browser, str(elsewhere.login_session.pk))
    assert [elsewhere.get(ME).status_code, api.get(ME).status_code, is_in(browser)] == [401, 200, True]
    assert keys(browser) == [str(api.login_session.pk), "others"]


def test_all_others_end_and_this_one_goes_on(api: MemberClient) -> None:
    browser, other = logged_in(api.user), logged_in(api.user)
    assert "All your other logins have ended." in end(browser, "others")
    assert [is_in(browser), is_in(other), api.get(ME).status_code] == [True, False, 401]
    (only,) = shown(browser)
    assert "(this one)" in only
    assert keys(browser) == []


def test_logins_to_the_platform_are_shown_and_end(root: User) -> None:
    browser, second, third = logged_in(root), logged_in(root), logged_in(root)
    texts = shown(browser)
    assert [each.partition(" Last used")[0] for each in texts] == [
        "Safari on Mac OS X (this one) Here in the admin, no practice chosen",
        *["Safari on Mac OS X Here in the admin, no practice chosen"] * 2,
    ]
    assert all(str(browser.session.session_key) not in key for key in keys(second))
    assert DONE in end(browser, keys(browser)[0])
    assert sorted([is_in(second), is_in(third)]) == [False, True]
    assert "All your other logins have ended." in end(browser, "others")
    assert [is_in(browser), is_in(second), is_in(third)] == [True, False, False]
    assert len(shown(browser)) == 1


def test_nobody_ends_another_s_login_or_their_present_one(api: MemberClient, practice: Practice, root: User) -> None:
    stranger = client_for("owner", practice)
    browser, platform = logged_in(api.user), logged_in(root)
    logged_in(root)
    theirs = [str(stranger.login_session.pk), next(key for key in keys(platform) if key != "others")]
    for key in [*theirs, browser.session[LOGIN], "", "x"]:
        assert DONE in end(browser, key)
    assert [stranger.get(ME).status_code, len(shown(platform)), is_in(browser)] == [200, 2, True]


def test_page_is_for_who_is_logged_in(root: User) -> None:
    assert Client().get(PAGE)["Location"] == "/admin/login/"
    browser = Client()
    browser.post("/admin/login/", {"username": root.email, "password": PASSWORD})
    for answer in (browser.get(PAGE), browser.post(PAGE, {"login": "others"})):
        assert answer["Location"] == "/admin/second-factor/"
