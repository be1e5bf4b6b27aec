"""Logging in, renewing and ending logins over HTTP."""

import threading
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import signals
from accounts.models import Membership, RefreshSession, User
from accounts.sessions import GRACE, email_hash
from accounts.tokens import access_token, refresh_token
from config.api.signing import AccessToken, RefreshToken
from practices.models import Practice
from practices.tenancy import Actor, platform_scope, practice_scope
from tests.clients import MemberClient, client_for, client_of
from tests.factories.accounts import PASSWORD, MembershipFactory, UserFactory

TOKEN = "/api/v1/auth/token"
ME = "/api/v1/auth/me"
BY = Actor.system("tests")

pytestmark = pytest.mark.django_db


def member(practice: Practice, *roles: str, user: User | None = None) -> User:
    user = user or UserFactory.create()
    with practice_scope(practice, actor=BY):
        MembershipFactory.create(user=user, roles=list(roles) or ["provider"])
    return user


def log_in(user: User, **body: Any) -> Any:
    return APIClient().post(
        TOKEN, {"grant_type": "password", "username": user.email, "password": PASSWORD, **body}, format="json"
    )


def renew(token: str) -> Any:
    return APIClient().post(TOKEN, {"grant_type": "refresh_token", "refresh_token": token}, format="json")


def me(access_token: str) -> Any:
    return APIClient().get(ME, headers={"Authorization": f"Bearer {access_token}"})


def sessions(practice: Practice) -> list[RefreshSession]:
    with practice_scope(practice, actor=BY):
        return list(RefreshSession.objects.all())


def test_login_gives_tokens_and_says_where_one_is(practice: Practice) -> None:
    user = member(practice, "owner", "provider")
    response = log_in(user)
    assert response.status_code == 200
    body = response.json()
    assert body["practice"] == {"id": str(practice.pk), "name": "Alder Clinic", "slug": "alder"}
    assert (body["role"], body["roles"]) == ("owner", ["owner", "provider"])
    assert (body["token_type"], body["expires_in"]) == ("bearer", 600)
    assert response["Cache-Control"] == "no-store"
    assert me(body["access_token"]).status_code == 200


def test_login_by_form_as_oauth2_clients_send_it(practice: Practice) -> None:
    user = member(practice)
    form = f"grant_type=password&username={user.email.upper()}&password={PASSWORD}&scope=&client_id=docs"
    response = APIClient().post(TOKEN, form, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 200


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"username": "nobody@example.test"}])
def test_login_with_wrong_credentials_is_refused_and_announced(practice: Practice, change: dict[str, str]) -> None:
    user = member(practice)
    heard: list[dict[str, Any]] = []

    def listen(**kwargs: Any) -> None:
        heard.append(kwargs)

    signals.login_failed.connect(listen)
    response = log_in(user, **change)
    signals.login_failed.disconnect(listen)
    assert (response.status_code, response.json()["code"]) == (401, "invalid_credentials")
    assert response["Content-Type"] == "application/problem+json"
    email = change.get("username", user.email)
    assert [(each["email_hash"], each["user_id"]) for each in heard] == [
        (email_hash(email), None if "username" in change else user.pk)
    ]


def test_login_of_inactive_user_is_refused_like_a_wrong_password(practice: Practice) -> None:
    user = member(practice)
    with platform_scope(actor=BY):
        User.objects.filter(pk=user.pk).update(is_active=False)
    assert log_in(user).json()["code"] == "invalid_credentials"


def test_login_without_any_practice_is_forbidden(practice: Practice) -> None:
    assert log_in(UserFactory.create()).json()["code"] == "permission_denied"


def test_login_to_suspended_practice_is_forbidden(practice: Practice) -> None:
    user = member(practice)
    with platform_scope(actor=BY):
        Practice.objects.filter(pk=practice.pk).update(status="suspended")
    assert log_in(user).status_code == 403


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/grant_type"}),
        ({"grant_type": "password"}, {"/username", "/password"}),
        ({"grant_type": "refresh_token"}, {"/refresh_token"}),
        ({"grant_type": "client_credentials"}, {"/grant_type"}),
        ({"grant_type": "password", "username": 5, "password": ["x"]}, {"/username", "/password"}),
        ({"grant_type": "password", "username": "a@b.test", "password": "x", "practise": "y"}, {"/practise"}),
    ],
)
def test_login_with_a_malformed_body_names_the_fields(
    practice: Practice, body: dict[str, Any], pointers: set[str]
) -> None:
    response = APIClient().post(TOKEN, body, format="json")
    assert response.status_code == 400
    assert {error["pointer"] for error in response.json()["errors"]} == pointers


def test_login_of_a_member_of_two_practices_asks_which(practice: Practice, other_practice: Practice) -> None:
    user = member(other_practice, "biller", user=member(practice, "provider"))
    response = log_in(user)
    assert (response.status_code, response.json()["code"]) == (400, "practice_required")
    assert [each["slug"] for each in response.json()["practices"]] == ["alder", "birch"]
    for named in (other_practice.slug, str(other_practice.pk)):
        body = log_in(user, practice=named).json()
        assert (body["practice"]["slug"], body["role"]) == ("birch", "biller")


def test_login_to_a_strangers_practice_looks_like_one_that_is_not_there(
    practice: Practice, other_practice: Practice
) -> None:
    user = member(practice)
    foreign, unknown = log_in(user, practice="birch"), log_in(user, practice="nowhere")
    assert foreign.status_code == unknown.status_code == 400
    assert foreign.json()["errors"] == unknown.json()["errors"]


def test_request_without_token_is_refused(practice: Practice) -> None:
    response = APIClient().get(ME)
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["", "x", "x.y.z", "ÿ", "null"])
def test_request_with_a_bad_token_is_refused(practice: Practice, token: str) -> None:
    assert me(token).json()["code"] == "not_authenticated"


def test_request_with_a_refresh_token_is_refused(practice: Practice) -> None:
    assert me(log_in(member(practice)).json()["refresh_token"]).status_code == 401


def test_request_with_an_expired_token_says_so(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:

    user = member(practice)
    monkeypatch.setattr(AccessToken, "lifetime", timedelta(minutes=-1))
    response = me(log_in(user).json()["access_token"])
    assert (response.status_code, response.json()["code"]) == (401, "token_expired")


def _suspend_member(client: MemberClient, practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        Membership.objects.filter(user=client.user).update(status="suspended")


def _remove_member(client: MemberClient, practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        Membership.objects.filter(user=client.user).delete()


def _deactivate_user(client: MemberClient, practice: Practice) -> None:
    with platform_scope(actor=BY):
        User.objects.filter(pk=client.user.pk).update(is_active=False)


def _raise_token_version(client: MemberClient, practice: Practice) -> None:
    with platform_scope(actor=BY):
        User.objects.filter(pk=client.user.pk).update(token_version=2)


def _revoke_session(client: MemberClient, practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        RefreshSession.objects.filter(user=client.user).update(revoked_at=timezone.now())


def _expire_session(client: MemberClient, practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        RefreshSession.objects.filter(user=client.user).update(expires_at=timezone.now() - timedelta(hours=1))


def _close_practice(client: MemberClient, practice: Practice) -> None:
    with platform_scope(actor=BY):
        Practice.objects.filter(pk=practice.pk).update(status="closed")


ENDINGS = [
    _suspend_member,
    _remove_member,
    _deactivate_user,
    _raise_token_version,
    _revoke_session,
    _expire_session,
    _close_practice,
]


@pytest.mark.parametrize("end", ENDINGS)
def test_access_ends_at_once_for_both_tokens(practice: Practice, end: Any) -> None:
    client = client_for("provider", practice)
    refresh = log_in(client.user).json()["refresh_token"]
    assert client.get(ME).status_code == 200
    end(client, practice)
    assert client.get(ME).status_code == 401
    assert renew(refresh).status_code == 401


def test_authentication_costs_one_statement(practice: Practice, django_assert_num_queries: Any) -> None:
    from accounts.identity import identify

    client = client_for("provider", practice)
    with practice_scope(practice, actor=BY), django_assert_num_queries(1):
        session = client.login_session
        identity = identify(practice_id=practice.pk, user_id=client.user.pk, session_id=session.pk, token_version=1)
    assert identity is not None
    assert (identity.user, identity.roles) == (client.user, ("provider",))


def test_refresh_rotates_and_keeps_the_session(practice: Practice) -> None:
    first = log_in(member(practice)).json()
    second = renew(first["refresh_token"]).json()
    third = renew(second["refresh_token"]).json()
    assert len({first["refresh_token"], second["refresh_token"], third["refresh_token"]}) == 3
    assert me(third["access_token"]).status_code == 200
    assert [(each.generation, each.revoked_at) for each in sessions(practice)] == [(3, None)]


def test_refresh_again_within_the_grace_gives_the_same_successor(practice: Practice) -> None:
    first = log_in(member(practice)).json()["refresh_token"]
    assert renew(first).json()["refresh_token"] == renew(first).json()["refresh_token"]


def test_refresh_with_a_replayed_token_ends_the_session(practice: Practice) -> None:
    first = log_in(member(practice)).json()["refresh_token"]
    second = renew(first).json()
    with practice_scope(practice, actor=BY):
        RefreshSession.objects.update(rotated_at=timezone.now() - GRACE - timedelta(seconds=1))
    replayed: list[Any] = []

    def listen(**kwargs: Any) -> None:
        replayed.append(kwargs["session"].pk)

    signals.token_replayed.connect(listen)
    response = renew(first)
    signals.token_replayed.disconnect(listen)
    assert (response.status_code, response.json()["code"]) == (401, "invalid_credentials")
    assert replayed == [each.pk for each in sessions(practice) if each.revoked_at]
    assert me(second["access_token"]).status_code == 401
    assert renew(second["refresh_token"]).status_code == 401


def test_replay_is_revoked_even_when_an_access_token_comes_along(practice: Practice) -> None:
    first = log_in(member(practice)).json()
    second = renew(renew(first["refresh_token"]).json()["refresh_token"]).json()
    client = APIClient(headers={"Authorization": f"Bearer {second['access_token']}"})
    body = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert client.post(TOKEN, body, format="json").status_code == 401
    assert me(second["access_token"]).status_code == 401


@pytest.mark.parametrize("token", ["x", "ÿ.y.z"])
def test_refresh_with_nonsense_is_refused(practice: Practice, token: str) -> None:
    assert renew(token).json()["code"] == "invalid_credentials"


def test_refresh_with_an_access_token_is_refused(practice: Practice) -> None:
    assert renew(log_in(member(practice)).json()["access_token"]).status_code == 401


def test_logout_ends_the_session_and_only_it(practice: Practice) -> None:
    user = member(practice)
    one, other = log_in(user).json(), log_in(user).json()
    for _ in range(2):
        response = APIClient().post("/api/v1/auth/logout", {"refresh_token": one["refresh_token"]}, format="json")
        assert response.status_code == 204
    assert me(one["access_token"]).status_code == 401
    assert renew(one["refresh_token"]).status_code == 401
    assert me(other["access_token"]).status_code == 200


def test_logout_all_ends_sessions_in_every_practice(practice: Practice, other_practice: Practice) -> None:
    user = member(other_practice, user=member(practice))
    here, there = (log_in(user, practice=each.slug).json() for each in (practice, other_practice))
    client = client_of(user, practice)
    assert client.post("/api/v1/auth/logout-all").status_code == 204
    for tokens in (here, there):
        assert me(tokens["access_token"]).status_code == 401
        assert renew(tokens["refresh_token"]).status_code == 401
    assert client.get(ME).status_code == 401


def test_switch_practice_leads_to_the_users_other_practice(practice: Practice, other_practice: Practice) -> None:
    user = member(other_practice, "biller", user=member(practice, "provider"))
    client = client_of(user, practice)
    response = client.post("/api/v1/auth/switch-practice", {"practice": "birch"}, format="json")
    assert response.status_code == 200
    assert me(response.json()["access_token"]).json()["practice"]["slug"] == "birch"
    assert client.get(ME).json()["practice"]["slug"] == "alder"


def test_switch_practice_to_a_strangers_is_refused(practice: Practice, other_practice: Practice) -> None:
    client = client_for("owner", practice)
    response = client.post("/api/v1/auth/switch-practice", {"practice": str(other_practice.pk)}, format="json")
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/practice")


def test_switch_practice_without_token_is_refused(practice: Practice) -> None:
    response = APIClient().post("/api/v1/auth/switch-practice", {"practice": "birch"}, format="json")
    assert response.status_code == 401


def test_switch_practice_of_a_suspended_member_is_refused(practice: Practice, other_practice: Practice) -> None:
    user = member(other_practice, user=member(practice))
    client = client_of(user, practice)
    _suspend_member(client, practice)
    response = client.post("/api/v1/auth/switch-practice", {"practice": "birch"}, format="json")
    assert response.status_code == 401


def test_login_is_limited_per_account(practice: Practice) -> None:
    user = member(practice)
    answers = [log_in(user, password="wrong").status_code for _ in range(6)]
    assert answers == [401] * 5 + [429]


@pytest.mark.django_db(transaction=True)
def test_parallel_refreshes_of_one_token_make_one_successor(practice: Practice) -> None:
    first = log_in(member(practice)).json()["refresh_token"]
    start, successors = threading.Barrier(6), []

    def refresh() -> None:
        start.wait()
        try:
            successors.append(renew(first).json().get("refresh_token"))
        finally:
            connection.close()

    threads = [threading.Thread(target=refresh) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(successors) == 6
    assert len(set(successors)) == 1
    assert [(each.generation, each.revoked_at) for each in sessions(practice)] == [(2, None)]
    assert renew(successors[0]).status_code == 200


def decode(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@pytest.mark.parametrize("number", ["1", 1.0, True, None, 0, -1, 2**31, [1]])
def test_signed_token_whose_number_is_none_is_no_token(practice: Practice, number: Any) -> None:
    client = client_for("owner", practice)
    access: Any = AccessToken()
    access.payload.update(decode(access_token(client.login_session)))
    access["ver"] = number
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    assert client.get(ME).status_code == 401
    refresh: Any = RefreshToken()
    refresh.payload.update(decode(refresh_token(client.login_session)))
    refresh["gen"] = number
    assert renew(str(refresh)).status_code == 401
