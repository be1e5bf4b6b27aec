"""Logins to the admin among a user's logins: seen and revoked like those of the API."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from accounts.admin_session import LOGIN
from accounts.identity import identify
from accounts.models import Membership, RefreshSession, User
from accounts.services import reactivate, suspend
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_for, client_of
from tests.factories.accounts import PASSWORD, MembershipFactory
from tests.rows import SETUP

SESSIONS = "/api/v1/auth/sessions"
PAGE = "/admin/patients/patient/"
CHOOSE = "/admin/practice/"
SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/17.5 Safari/605.1.15"
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(practice: Practice) -> MemberClient:
    return client_for("owner", practice)


@pytest.fixture
def browser(api: MemberClient) -> Client:
    return logged_in(api.user)


def logged_in(user: User) -> Client:
    browser = Client(headers={"User-Agent": SAFARI}, REMOTE_ADDR="203.0.113.7")
    browser.post("/admin/login/", {"username": user.email, "password": PASSWORD})
    return browser


def listed(api: MemberClient) -> dict[str, str]:
    return {row["id"]: row["kind"] for row in api.get(SESSIONS).json()["results"]}


def is_in(browser: Client) -> bool:
    return browser.get(PAGE).status_code == 200


def test_admin_login_is_listed_with_device_and_address(api: MemberClient, browser: Client) -> None:
    rows = {row["kind"]: row for row in api.get(SESSIONS).json()["results"]}
    assert rows.keys() == {"api", "admin"}
    row = rows["admin"]
    assert (row["id"], row["device"], row["ip"]) == (browser.session[LOGIN], "Safari on Mac OS X", "203.0.113.7")
    assert (row["current"], rows["api"]["current"]) == (False, True)


def test_one_admin_login_is_revoked_and_no_other(api: MemberClient, browser: Client) -> None:
    other = logged_in(api.user)
    assert api.delete(f"{SESSIONS}/{browser.session[LOGIN]}").status_code == 204
    asked = browser.get(PAGE)
    assert asked.headers["Location"] == "/admin/"
    shown = browser.get("/admin/", follow=True).content.decode()
    assert "this login was ended from elsewhere" in shown
    assert "_auth_user_id" not in browser.session
    assert is_in(other)
    assert listed(api) == {str(api.login_session.pk): "api", other.session[LOGIN]: "admin"}


def test_revoked_admin_login_gets_into_no_other_practice(
    api: MemberClient, browser: Client, other_practice: Practice
) -> None:
    with practice_scope(other_practice, actor=SETUP):
        MembershipFactory.create(user=api.user, roles=["owner"])
    api.delete(f"{SESSIONS}/{browser.session[LOGIN]}")
    answer = browser.post(CHOOSE, {"practice": str(other_practice.pk)})
    assert answer.headers["Location"] == "/admin/login/"
    assert not is_in(browser)


def test_logins_of_others_are_neither_listed_nor_revoked(browser: Client, practice: Practice) -> None:
    colleague = client_for("owner", practice)
    assert listed(colleague) == {str(colleague.login_session.pk): "api"}
    assert colleague.delete(f"{SESSIONS}/{browser.session[LOGIN]}").status_code == 404
    assert is_in(browser)


def test_all_logins_end_together_with_those_of_the_admin(
    api: MemberClient, browser: Client, practice: Practice
) -> None:
    assert api.post("/api/v1/auth/logout-all").status_code == 204
    assert not is_in(browser)
    again = client_of(User.objects.get(pk=api.user.pk), practice)
    assert listed(again) == {str(again.login_session.pk): "api"}


def test_new_password_in_the_admin_ends_all_but_this_login(
    api: MemberClient, browser: Client, practice: Practice
) -> None:
    other = logged_in(api.user)
    new = "another-fine-password"
    fields = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    answer = browser.post("/admin/password_change/", fields)
    assert answer.headers["Location"] == "/admin/password_change/done/"
    assert is_in(browser)
    assert not is_in(other)
    assert api.get(SESSIONS).status_code == 401
    again = client_of(User.objects.get(pk=api.user.pk), practice)
    assert listed(again) == {str(again.login_session.pk): "api", browser.session[LOGIN]: "admin"}


def test_new_password_by_the_api_ends_the_admin_login(api: MemberClient, browser: Client) -> None:
    fields = {"current_password": PASSWORD, "new_password": "another-fine-password"}
    assert api.post("/api/v1/auth/password/change", fields).status_code == 200
    assert not is_in(browser)


def test_logging_out_takes_the_login_from_the_list(api: MemberClient, browser: Client) -> None:
    browser.post("/admin/logout/")
    assert listed(api) == {str(api.login_session.pk): "api"}


def test_another_practice_makes_it_a_login_there(api: MemberClient, browser: Client, other_practice: Practice) -> None:
    with practice_scope(other_practice, actor=SETUP):
        MembershipFactory.create(user=api.user, roles=["owner"])
    browser.post(CHOOSE, {"practice": str(other_practice.pk)})
    assert is_in(browser)
    there = client_of(api.user, other_practice)
    assert listed(there) == {str(there.login_session.pk): "api", browser.session[LOGIN]: "admin"}
    assert listed(api) == {str(api.login_session.pk): "api"}


@pytest.mark.parametrize("seen_meanwhile", [True, False])
def test_being_reactivated_revives_no_admin_login(practice: Practice, seen_meanwhile: bool) -> None:
    client_for("owner", practice)
    member = client_for("front_desk", practice)
    browser = logged_in(member.user)
    with practice_scope(practice, actor=SETUP):
        pk = Membership.objects.get(user=member.user).pk
        suspend(member=pk, by=SETUP)
    if seen_meanwhile:
        browser.get(PAGE)
    with practice_scope(practice, actor=SETUP):
        reactivate(member=pk, by=SETUP)
    assert not is_in(browser)
    assert "_auth_user_id" not in browser.session


def test_use_shows_in_the_list_now_and_then(api: MemberClient, browser: Client, practice: Practice) -> None:
    long_ago = timezone.now() - timedelta(minutes=10)
    with practice_scope(practice, actor=SETUP):
        row = RefreshSession.objects.filter(pk=browser.session[LOGIN])
        row.update(rotated_at=long_ago, expires_at=long_ago + timedelta(minutes=15))
        assert browser.get(PAGE, REMOTE_ADDR="203.0.113.9").status_code == 200
        used = row.get()
        assert used.rotated_at - long_ago > timedelta(minutes=9)
        assert used.expires_at - used.rotated_at == timedelta(minutes=15)
        assert used.ip == "203.0.113.9"
        browser.get(PAGE)
        assert row.get().rotated_at == used.rotated_at


def test_row_of_an_admin_login_is_no_identity_of_the_api(
    api: MemberClient, browser: Client, practice: Practice
) -> None:
    with practice_scope(practice, actor=SETUP):
        login = UUID(browser.session[LOGIN])
        assert identify(practice_id=practice.pk, user_id=api.user.pk, session_id=login, token_version=1) is None
