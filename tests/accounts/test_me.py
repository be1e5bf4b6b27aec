"""What users see and change of themselves, and logging in to the admin."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import check_password
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from accounts.backends import RoleBackend
from accounts.devices import device_name
from accounts.models import Membership, RefreshSession, User
from accounts.roles import Area
from accounts.tokens import refresh_token
from practices.models import Practice
from practices.tenancy import Actor, practice_scope
from tests.clients import client_for, client_of
from tests.factories.accounts import PASSWORD, MembershipFactory, UserFactory

ME = "/api/v1/auth/me"
CHANGE = "/api/v1/auth/password/change"
SESSIONS = "/api/v1/auth/sessions"
NEW = "another-fine-password"
BY = Actor.system("tests")

pytestmark = pytest.mark.django_db


def test_me_says_who_where_and_what_is_allowed(practice: Practice, other_practice: Practice) -> None:
    client = client_for(["provider", "admin"], practice)
    with practice_scope(other_practice, actor=BY):
        MembershipFactory.create(user=client.user, roles=["biller"])
    body = client.get(ME).json()
    assert (body["id"], body["email"], body["role"]) == (str(client.user.pk), client.user.email, "provider")
    assert [(each["slug"], each["roles"]) for each in body["practices"]] == [
        ("alder", ["provider", "admin"]),
        ("birch", ["biller"]),
    ]
    assert body["practice"] == body["practices"][0]
    assert (body["permissions"]["notes"], body["own_permissions"]["notes"]) == ("read", "write")
    assert set(body["permissions"]) == set(Area.values) - {"platform"}


def test_me_changes_the_name_and_nothing_else(practice: Practice) -> None:
    client = client_for("biller", practice)
    assert client.patch(ME, {"name": "Robin Hale"}).json()["name"] == "Robin Hale"
    response = client.patch(ME, {"email": "x@example.test", "is_superuser": True})
    assert (response.status_code, response.json()["code"]) == (400, "unknown_field")


def test_sessions_are_listed_and_ended_one_by_one(practice: Practice, other_practice: Practice) -> None:
    here = client_for("biller", practice)
    there = client_of(here.user, practice)
    client_for("biller", practice)
    rows = here.get(SESSIONS).json()["results"]
    assert {row["id"]: row["current"] for row in rows} == {
        str(here.login_session.pk): True,
        str(there.login_session.pk): False,
    }
    assert {row["last_used_at"] for row in rows} == {row["rotated_at"] for row in rows}
    assert here.delete(f"{SESSIONS}/{there.login_session.pk}").status_code == 204
    assert (there.get(ME).status_code, here.get(ME).status_code) == (401, 200)
    assert here.delete(f"{SESSIONS}/{there.login_session.pk}").status_code == 404


FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/17.5 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (FIREFOX, "Firefox on Windows"),
        (IPHONE, "Mobile Safari on iOS"),
        ("curl/8.1", "curl"),
        ("\x00ÿ" * 500, ""),
        ("", ""),
    ],
)
def test_device_is_named_as_people_know_it(user_agent: str, device: str) -> None:
    assert device_name(user_agent) == device


def test_session_shows_device_and_where_it_was_last_used(practice: Practice) -> None:
    user = client_for("biller", practice).user
    body = {"grant_type": "password", "username": user.email, "password": PASSWORD}
    tokens = APIClient(headers={"User-Agent": FIREFOX}).post("/api/v1/auth/token", body, format="json").json()
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    APIClient().post("/api/v1/auth/token", refresh, format="json", REMOTE_ADDR="203.0.113.9")
    client = APIClient(headers={"Authorization": f"Bearer {tokens['access_token']}"})
    (row,) = [each for each in client.get(SESSIONS).json()["results"] if each["current"]]
    assert (row["device"], row["ip"], row["user_agent"]) == ("Firefox on Windows", "203.0.113.9", FIREFOX)


def test_use_extends_a_login_but_not_for_ever(practice: Practice, settings: Settings) -> None:
    settings.REFRESH_TOKEN_LIFETIME, settings.SESSION_LIFETIME = timedelta(days=14), timedelta(days=90)
    session = client_for("biller", practice).login_session
    started = timezone.now() - timedelta(days=80)

    def expires() -> datetime:
        with practice_scope(practice, actor=BY):
            session.refresh_from_db()
            refresh = {"grant_type": "refresh_token", "refresh_token": refresh_token(session)}
        assert APIClient().post("/api/v1/auth/token", refresh).status_code == 200
        with practice_scope(practice, actor=BY):
            session.refresh_from_db()
        return session.expires_at

    assert timedelta(days=13) < expires() - timezone.now() <= timedelta(days=14)
    with practice_scope(practice, actor=BY):
        RefreshSession.objects.filter(pk=session.pk).update(created_at=started)
    assert expires() == started + timedelta(days=90)


def test_session_of_somebody_else_is_not_found(practice: Practice, other_practice: Practice) -> None:
    client = client_for("owner", practice)
    for other in (client_for("biller", practice), client_for("biller", other_practice)):
        assert client.delete(f"{SESSIONS}/{other.login_session.pk}").status_code == 404
        assert other.get(ME).status_code == 200


def test_password_change_ends_other_sessions_and_keeps_this_one(practice: Practice) -> None:
    client = client_for("biller", practice)
    other = client_of(client.user, practice)
    response = client.post(CHANGE, {"current_password": PASSWORD, "new_password": NEW})
    assert response.status_code == 200
    token = response.json()["access_token"]
    assert APIClient().get(ME, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert (other.get(ME).status_code, client.get(ME).status_code) == (401, 401)
    assert check_password(NEW, User.objects.get(pk=client.user.pk).password)
    refresh = {"grant_type": "refresh_token", "refresh_token": response.json()["refresh_token"]}
    assert APIClient().post("/api/v1/auth/token", refresh).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"current_password": "wrong", "new_password": NEW}, 403, "/current_password"),
        ({"current_password": PASSWORD, "new_password": "short"}, 400, "/new_password"),
        ({"current_password": PASSWORD, "new_password": "password1234"}, 400, "/new_password"),
        ({"new_password": NEW}, 400, "/current_password"),
    ],
)
def test_password_change_that_is_refused_changes_nothing(
    practice: Practice, body: dict[str, str], status: int, pointer: str
) -> None:
    client = client_for("biller", practice)
    response = client.post(CHANGE, body)
    assert response.status_code == status
    assert {error["pointer"] for error in response.json()["errors"]} == {pointer}
    assert User.objects.get(pk=client.user.pk).password == client.user.password


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", ME), ("patch", ME), ("get", SESSIONS), ("post", CHANGE), ("post", "/api/v1/auth/logout-all")],
)
def test_without_token_nothing_is_shown_or_changed(practice: Practice, method: str, path: str) -> None:
    assert getattr(APIClient(), method)(path).status_code == 401


def test_admin_login_takes_members_and_superusers(practice: Practice) -> None:
    member = client_for("front_desk", practice).user
    root = UserFactory.create(is_superuser=True)
    for user in (member, root):
        assert authenticate(None, username=f" {user.email.upper()}", password=PASSWORD) == user


def _suspend(user: User, practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        Membership.objects.filter(user=user).update(status="suspended")


def _deactivate(user: User, practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize("end", [_suspend, _deactivate])
def test_admin_login_refuses_who_has_lost_access(practice: Practice, end: Any) -> None:
    user = client_for("front_desk", practice).user
    end(user, practice)
    assert authenticate(None, username=user.email, password=PASSWORD) is None


def test_admin_login_refuses_who_belongs_nowhere(practice: Practice) -> None:
    assert authenticate(None, username=UserFactory.create().email, password=PASSWORD) is None
    assert authenticate(None, username="nobody@example.test", password=PASSWORD) is None
    assert RoleBackend().authenticate(None) is None


def test_admin_session_of_a_deactivated_user_ends(practice: Practice) -> None:
    user = client_for("front_desk", practice).user
    assert RoleBackend().get_user(user.pk) == user
    _deactivate(user, practice)
    assert RoleBackend().get_user(user.pk) is None
