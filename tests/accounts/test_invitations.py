"""Inviting over HTTP, and accepting: by whom, for whom, once, and without telling who has a login."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import invitations, services
from accounts.models import Invitation, Membership, User
from audit.models import AuditEvent
from practices.bound_secrets import new_secret
from practices.models import Practice
from practices.tenancy import Actor, practice_scope
from tests.bound_secrets import moved
from tests.clients import MemberClient, client_for, client_of, membership_of
from tests.factories.accounts import PASSWORD, MembershipFactory, UserFactory

BY = Actor.system("tests")
URL = "/api/v1/invitations"
ACCEPT = "/api/v1/auth/invitations/accept"
NEW: dict[str, str] = {"name": "Nora New", "password": "a-long-and-rare-one"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(practice: Practice) -> MemberClient:
    return client_for("owner", practice)


def token_for(practice: Practice, email: str, roles: list[str] | None = None, by: Actor = BY) -> str:
    """Of an invitation whose mail was sent."""
    with practice_scope(practice, actor=BY):
        made = invitations.invite(email=email, roles=roles or ["provider"], by=by)
        found = invitations.new_token(made.pk)
    assert found is not None
    return found[1]


def accept(token: str, client: Any = None, **body: Any) -> Any:
    return (client or APIClient()).post(ACCEPT, {"token": token, **body}, format="json")


def code_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_invitation_shows_what_was_asked_and_no_secret(owner: MemberClient) -> None:
    response = owner.post(URL, {"email": "New@Example.test", "roles": ["front_desk", "provider"]})
    body = response.json()
    assert response.status_code == 201
    assert body == {
        "id": body["id"],
        "email": "new@example.test",
        "roles": ["provider", "front_desk"],
        "status": "pending",
        "invited_by": {"id": str(owner.user.pk), "email": owner.user.email, "name": owner.user.name},
        "expires_at": body["expires_at"],
        "sent_at": None,
        "accepted_at": None,
        "revoked_at": None,
        "created_at": body["created_at"],
        "updated_at": body["updated_at"],
    }
    assert owner.get(response["Location"]).json() == body
    assert owner.get(URL, {"email": "new@example.test"}).json()["results"] == [body]


def test_inviter_can_not_tell_who_has_a_login(
    owner: MemberClient, practice: Practice, other_practice: Practice
) -> None:
    """Neither by the answers nor by what the server does for them, statement by statement."""
    known = client_for("provider", other_practice).user.email
    owner.get(URL)
    told = []
    for email in (known, "nobody@example.test"):
        with CaptureQueriesContext(connection) as captured:
            made = owner.post(URL, {"email": email, "roles": ["provider"]})
            answers = [made, owner.post(f"{made['Location']}/resend"), owner.get(made["Location"])]
            answers.append(owner.post(URL, {"email": email, "roles": ["provider"]}))
        statements = [re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in captured]
        keys = [(each.status_code, sorted(each.json()), sorted(each.headers)) for each in answers]
        told.append((keys, [each.json().get("status") for each in answers], statements))
    assert told[0] == told[1]
    assert [status for status, _, _ in told[0][0]] == [201, 200, 200, 409]


def test_log_of_the_practice_reads_the_same_for_a_new_user(practice: Practice) -> None:
    known = UserFactory.create()
    told = []
    for email, body in ((known.email, {"password": PASSWORD}), ("nobody@example.test", NEW)):
        token = token_for(practice, email)
        with practice_scope(practice, actor=BY):
            before = set(AuditEvent.objects.values_list("pk", flat=True))
        assert accept(token, **body).status_code == 200
        with practice_scope(practice, actor=BY):
            events = AuditEvent.objects.exclude(pk__in=before).order_by("entity")
            told.append([(each.action, each.entity, each.actor_kind, sorted(each.changes)) for each in events])
    assert told[0] == told[1]
    assert [entity for _, entity, _, _ in told[0]] == ["accounts.invitation", "accounts.membership"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "x@example.test"}, "/roles"),
        ({"email": "x@example.test", "roles": []}, "/roles"),
        ({"email": "x@example.test", "roles": ["root"]}, "/roles/0"),
        ({"email": "nonsense", "roles": ["biller"]}, "/email"),
        ({"email": "x@example.test", "roles": ["biller"], "practice": "birch"}, "/practice"),
    ],
)
def test_unusable_invitations_are_refused(owner: MemberClient, body: dict[str, Any], pointer: str) -> None:
    response = owner.post(URL, body)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, pointer)


def test_admin_invites_anybody_but_owners(practice: Practice, owner: MemberClient) -> None:
    admin = client_for("admin", practice)
    assert admin.post(URL, {"email": "a@example.test", "roles": ["admin"]}).status_code == 201
    assert code_of(admin.post(URL, {"email": "b@example.test", "roles": ["owner"]})) == (403, "permission_denied")
    theirs = owner.post(URL, {"email": "c@example.test", "roles": ["owner", "provider"]})["Location"]
    assert [admin.post(f"{theirs}/{action}").status_code for action in ("resend", "revoke")] == [403, 403]
    assert owner.post(f"{theirs}/revoke").json()["status"] == "revoked"


def test_members_and_invited_addresses_are_not_invited_again(practice: Practice, owner: MemberClient) -> None:
    member = client_for("biller", practice).user
    body = {"email": member.email.upper(), "roles": ["provider"]}
    assert code_of(owner.post(URL, body)) == (409, "already_member")
    body["email"] = "new@example.test"
    first = owner.post(URL, body).json()["id"]
    assert code_of(owner.post(URL, body)) == (409, "already_invited")
    with practice_scope(practice, actor=BY):
        Invitation.objects.filter(pk=first).update(expires_at=timezone.now())
    assert owner.get(f"{URL}/{first}").json()["status"] == "expired"
    assert owner.post(URL, body).status_code == 201
    assert owner.get(f"{URL}/{first}").json()["status"] == "revoked"


def test_revoked_or_accepted_invitation_is_over(practice: Practice, owner: MemberClient) -> None:
    token = token_for(practice, "new@example.test")
    (row,) = owner.get(URL).json()["results"]
    assert owner.post(f"{URL}/{row['id']}/revoke").json()["revoked_at"] is not None
    for action in ("resend", "revoke"):
        assert code_of(owner.post(f"{URL}/{row['id']}/{action}")) == (409, "invalid_transition")
    assert code_of(accept(token, **NEW)) == (400, "invitation_invalid")


def test_resending_kills_the_old_link_and_starts_the_time_anew(practice: Practice, owner: MemberClient) -> None:
    token = token_for(practice, "new@example.test")
    with practice_scope(practice, actor=BY):
        Invitation.objects.update(expires_at=timezone.now() - timedelta(days=1))
    (row,) = owner.get(URL).json()["results"]
    again = owner.post(f"{URL}/{row['id']}/resend").json()
    assert (again["status"], again["expires_at"] > row["expires_at"]) == ("pending", True)
    assert code_of(accept(token, **NEW)) == (400, "invitation_invalid")


def test_new_user_chooses_name_and_password_and_logs_in(practice: Practice) -> None:
    token = token_for(practice, "New@Example.test", ["provider", "biller"])
    response = accept(token, **NEW)
    summary = {"id": str(practice.pk), "name": practice.name, "slug": practice.slug}
    assert (response.status_code, response.json()) == (200, {"email": "new@example.test", "practice": summary})
    body = {"grant_type": "password", "username": "new@example.test", "password": NEW["password"]}
    login = APIClient().post("/api/v1/auth/token", body, format="json").json()
    assert login["roles"] == ["provider", "biller"]
    user = User.objects.get(email="new@example.test")
    assert (user.name, user.is_superuser) == ("Nora New", False)
    assert code_of(accept(token, **NEW)) == (400, "invitation_invalid")


def test_user_of_another_practice_joins_with_the_password_they_have(
    practice: Practice, other_practice: Practice
) -> None:
    user = client_for("owner", other_practice).user
    token = token_for(practice, user.email, ["biller"])
    assert code_of(accept(token, password="some-other-password")) == (401, "invalid_credentials")
    assert code_of(accept(token)) == (400, "validation_error")
    assert accept(token, name="Another Name", password=PASSWORD).status_code == 200
    assert membership_of(user, practice).roles == ["biller"]
    assert membership_of(user, other_practice).roles == ["owner"]
    assert User.objects.get(pk=user.pk).name == user.name


def test_who_is_logged_in_accepts_without_a_password(practice: Practice, other_practice: Practice) -> None:
    client, stranger = client_for("provider", other_practice), client_for("provider", other_practice)
    token = token_for(practice, client.user.email)
    assert code_of(accept(token, stranger)) == (403, "permission_denied")
    assert accept(token, client).status_code == 200
    assert client_of(client.user, practice).get("/api/v1/auth/me").json()["roles"] == ["provider"]


def test_deactivated_user_does_not_come_back_by_an_invitation(practice: Practice) -> None:
    user = UserFactory.create(is_active=False)
    assert code_of(accept(token_for(practice, user.email), password=PASSWORD)) == (401, "invalid_credentials")


def test_weak_password_makes_no_user_and_uses_nothing_up(practice: Practice) -> None:
    token = token_for(practice, "new@example.test")
    refused = accept(token, name="Nora", password="password")
    assert (refused.status_code, {each["pointer"] for each in refused.json()["errors"]}) == (400, {"/password"})
    assert not User.objects.filter(email="new@example.test").exists()
    assert accept(token, **NEW).status_code == 200


def test_bad_tokens_get_one_answer(practice: Practice, other_practice: Practice) -> None:
    good = token_for(practice, "new@example.test")
    bad = [new_secret(practice.pk), moved(good, other_practice), good[:-1] + "!", good[:-4], "x" * 64, "é" * 64]
    answers = [accept(each, **NEW) for each in bad]
    assert {code_of(each) for each in answers} == {(400, "invitation_invalid")}
    assert len({each.json()["detail"] for each in answers}) == 1
    assert accept(good, **NEW).status_code == 200


def test_invitation_dies_with_the_right_to_make_it(practice: Practice) -> None:
    for number, (roles, invited, change) in enumerate(
        [
            (["admin"], ["biller"], "suspend"),
            (["owner"], ["owner"], "demote"),
            (["admin"], ["biller"], "demote to biller"),
        ]
    ):
        with practice_scope(practice, actor=BY):
            MembershipFactory.create(roles=["owner"])
            inviter = MembershipFactory.create(roles=roles)
        token = token_for(practice, f"new{number}@example.test", invited, Actor.user(inviter.user_id, tuple(roles)))
        with practice_scope(practice, actor=BY):
            if change == "suspend":
                services.suspend(member=inviter.pk, by=BY)
            else:
                new = ["admin"] if change == "demote" else ["biller"]
                services.change_roles(member=inviter.pk, roles=new, by=BY)
        assert code_of(accept(token, **NEW)) == (400, "invitation_invalid"), change


def test_closed_practice_takes_nobody_in(practice: Practice) -> None:
    token = token_for(practice, "new@example.test")
    with practice_scope(practice, actor=BY):
        Practice.objects.filter(pk=practice.pk).update(status="closed")
    assert code_of(accept(token, **NEW)) == (400, "invitation_invalid")


def test_guesses_at_a_password_are_counted_by_invitation(practice: Practice) -> None:
    token = token_for(practice, UserFactory.create().email)
    statuses = [
        APIClient(REMOTE_ADDR=f"203.0.113.{number}").post(ACCEPT, {"token": token, "password": "wrong"}).status_code
        for number in range(6)
    ]
    assert statuses == [401] * 5 + [429]


@pytest.mark.django_db(transaction=True)
def test_of_two_acceptances_at_once_one_counts(practice: Practice) -> None:
    token = token_for(practice, "new@example.test")

    def run(name: str) -> int:
        try:
            return int(accept(token, name=name, password=NEW["password"]).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(run, "abcd"))
    assert (statuses[0], statuses[1] >= 400) == (200, True)
    assert User.objects.filter(email="new@example.test").count() == 1
    with practice_scope(practice, actor=BY):
        assert Membership.objects.count() == 1


@pytest.mark.parametrize("rows", [1, 3])
def test_list_costs_the_same_for_any_number(
    owner: MemberClient, practice: Practice, rows: int, django_assert_num_queries: Any
) -> None:
    with practice_scope(practice, actor=BY):
        for number in range(rows):
            by = Actor.user(UserFactory.create().pk, ("owner",))
            invitations.invite(email=f"{number}@example.test", roles=["biller"], by=by)
    with django_assert_num_queries(6):  # savepoint and release, settings read, set and restored, identity, rows
        assert len(owner.get(URL).json()["results"]) == rows
