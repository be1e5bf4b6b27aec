"""A practice may demand a second factor of some roles: without one a member gets in only far enough to set it up."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from integrations.events.access import roles_of_sessions
from practices.models import Practice, PracticePolicy
from practices.tenancy import platform_scope, practice_scope
from tests.accounts.test_api_keys import made, with_key
from tests.accounts.test_second_factor import refusal
from tests.accounts.test_tokens import log_in, member, renew
from tests.clients import MemberClient, client_for, client_of
from tests.factories.accounts import PASSWORD
from tests.factories.second_factor import code_now, enrol
from tests.rows import SETUP

POLICY = "/api/v1/practice/policy"
OPEN = ("/api/v1/auth/me", "/api/v1/auth/mfa", "/api/v1/auth/sessions")
CLOSED = ("/api/v1/patients", "/api/v1/members", "/api/v1/practice", POLICY)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _unlimited(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False


def require(practice: Practice, *roles: str) -> None:
    with practice_scope(practice, actor=SETUP):
        PracticePolicy.objects.get_or_create()
        PracticePolicy.objects.update(mfa_required_roles=list(roles))


def answers(client: MemberClient, paths: tuple[str, ...]) -> set[int]:
    return {client.get(path).status_code for path in paths}


def test_member_whose_role_needs_it_gets_only_as_far_as_enrolling(practice: Practice) -> None:
    require(practice, "provider")
    client = client_for(["front_desk", "provider"], practice)
    assert answers(client, OPEN) == {200}
    for path in CLOSED:
        assert refusal(client.get(path)) == (403, "mfa_enrolment_required", [])
    ticket = client.post("/api/v1/auth/websocket-ticket")
    switch = client.post("/api/v1/auth/switch-practice", {"practice": "alder"})
    assert refusal(ticket)[1] == refusal(switch)[1] == "mfa_enrolment_required"
    secret = client.post("/api/v1/auth/mfa/totp", {"password": PASSWORD}).json()["secret"]
    tokens = client.post("/api/v1/auth/mfa/totp/confirm", {"otp": code_now(secret)}).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access_token']}")
    assert answers(client, (*OPEN, "/api/v1/patients")) == {200}


def test_keys_of_a_member_who_must_enrol_rest_until_they_did(practice: Practice) -> None:
    owner = client_for("owner", practice)
    program = with_key(made(owner, "patients:read")["key"])
    assert program.get("/api/v1/patients").status_code == 200
    require(practice, "owner")
    assert refusal(program.get("/api/v1/patients")) == (403, "mfa_enrolment_required", [])
    enrol(owner.user)
    assert program.get("/api/v1/patients").status_code == 200


def test_other_roles_and_other_practices_notice_nothing(practice: Practice, other_practice: Practice) -> None:
    require(practice, "provider")
    assert answers(client_for("front_desk", practice), CLOSED) == {200}
    assert answers(client_for("provider", other_practice), CLOSED) == {200}
    both = member(practice, "provider", user=member(other_practice, "provider"))
    assert answers(client_of(both, other_practice), CLOSED) == {200}
    assert answers(client_of(both, practice), CLOSED) == {403}


def test_switch_to_a_practice_that_needs_it_leads_to_enrolling(practice: Practice, other_practice: Practice) -> None:
    require(practice, "provider")
    both = member(practice, "provider", user=member(other_practice, "provider"))
    client = client_of(both, other_practice)
    token = client.post("/api/v1/auth/switch-practice", {"practice": "alder"}).json()["access_token"]
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert answers(client, CLOSED) == {403}


def test_login_with_a_code_is_all_that_is_asked(practice: Practice) -> None:
    require(practice, "provider")
    user = member(practice, "provider")
    enrol(user)
    tokens = log_in(user, otp=code_now()).json()
    renewed = renew(tokens["refresh_token"]).json()
    client = client_of(user, practice)
    for token in (tokens["access_token"], renewed["access_token"]):
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        assert answers(client, CLOSED) == {200}


def test_removing_the_app_closes_everything_again(practice: Practice) -> None:
    require(practice, "provider")
    user = member(practice, "provider")
    enrol(user)
    client = client_of(user, practice)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {log_in(user, otp=code_now(steps=-1)).json()['access_token']}")
    removed = client.delete("/api/v1/auth/mfa/totp", {"password": PASSWORD, "otp": code_now()})
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {removed.json()['access_token']}")
    assert answers(client, CLOSED) == {403}


def test_superuser_needs_it_in_every_practice(practice: Practice) -> None:
    user = member(practice, "owner")
    client = client_of(user, practice)
    assert answers(client, CLOSED) == {200}
    with platform_scope(actor=SETUP):
        User.objects.filter(pk=user.pk).update(is_superuser=True)
    assert refusal(client.get(CLOSED[0]))[1] == "mfa_enrolment_required"


def test_listening_ends_for_who_needs_it(practice: Practice) -> None:
    client = client_for("provider", practice)
    session = client.login_session

    def heard() -> Any:
        with practice_scope(practice, actor=SETUP):
            return roles_of_sessions([session.pk])

    assert heard() == {session.pk: ("provider",)}
    require(practice, "provider")
    assert heard() == {}
    session.second_factor = True
    with practice_scope(practice, actor=SETUP):
        session.save()
    assert heard() == {session.pk: ("provider",)}


def test_owner_and_admin_say_who_needs_it(practice: Practice) -> None:
    for role in ("owner", "admin"):
        answer = client_for(role, practice).patch(POLICY, {"mfa_required_roles": ["biller", "provider"]})
        assert (answer.status_code, answer.json()["mfa_required_roles"]) == (200, ["biller", "provider"])
    assert client_for("front_desk", practice).patch(POLICY, {"mfa_required_roles": []}).status_code == 403
    for nonsense in (["nurse"], "owner", [None], ["owner"] * 8, None):
        assert client_for("owner", practice).patch(POLICY, {"mfa_required_roles": nonsense}).status_code == 400


def test_policy_of_a_stranger_is_out_of_reach(practice: Practice, other_practice: Practice) -> None:
    client_for("owner", other_practice).patch(POLICY, {"mfa_required_roles": ["provider"]})
    assert answers(client_for("provider", practice), CLOSED) == {200}
    assert answers(client_for("provider", other_practice), CLOSED) == {403}
