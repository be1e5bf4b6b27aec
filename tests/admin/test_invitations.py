"""Inviting in the admin, the page that the mailed link opens, and revoking API keys."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts import invitations
from accounts.models import ApiKey, Invitation, User
from practices.models import Practice
from practices.tenancy import Actor, practice_scope
from tests.admin.pages import AdminClient, staff, url
from tests.clients import client_for, membership_of
from tests.factories.accounts import PASSWORD

BY = Actor.system("tests")
ACCEPT = "/admin/invitation/"
NEW = {"name": "Nora New", "password": "a-long-and-rare-one"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(practice: Practice) -> AdminClient:
    return staff("owner", practice)


def only(practice: Practice) -> Invitation:
    with practice_scope(practice, actor=BY):
        return Invitation.objects.get()


def token_of(practice: Practice, row: Invitation) -> str:
    with practice_scope(practice, actor=BY):
        made = invitations.new_token(row.pk)
    assert made is not None
    return made[1]


def errors_of(response: Any) -> dict[str, list[str]]:
    return {name: list(errors) for name, errors in response.context["form"].errors.items()}


def test_owner_invites_sends_again_and_revokes(practice: Practice, owner: AdminClient) -> None:
    body = {"email": "New@Example.test", "roles": ["provider", "biller"]}
    assert owner.post(url(Invitation, "add"), body).status_code == 302
    row = only(practice)
    assert (row.email, row.roles, row.status) == ("new@example.test", ["provider", "biller"], "pending")
    again = owner.post(url(Invitation, "add"), body)
    assert (again.status_code, "is invited already" in again.content.decode()) == (409, True)
    assert "Provider, Biller" in owner.get(url(Invitation, "changelist")).content.decode()
    old = token_of(practice, row)
    assert owner.post(url(Invitation, "do", row.pk, "resend")).status_code == 302
    assert only(practice).secret_hash == ""
    assert Client().post(ACCEPT, {"token": old, **NEW}).status_code == 400
    assert owner.post(url(Invitation, "do", row.pk, "revoke")).status_code == 302
    assert only(practice).status == "revoked"
    assert "can&#x27;t be done now" in owner.post(url(Invitation, "do", row.pk, "resend"), follow=True).content.decode()


def test_admin_invites_no_owner_and_others_invite_nobody(practice: Practice) -> None:
    body = {"email": "new@example.test", "roles": ["owner"]}
    refused = staff("admin", practice).post(url(Invitation, "add"), body)
    assert (refused.status_code, "Only an owner may invite owners" in refused.content.decode()) == (403, True)
    assert staff("front_desk", practice).get(url(Invitation, "add")).status_code == 403


def test_link_opens_a_page_that_takes_in_a_new_user(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        row = invitations.invite(email="new@example.test", roles=["biller"], by=BY)
    token = token_of(practice, row)
    assert f"{settings.PUBLIC_URL}{ACCEPT}" == settings.INVITATION_URL
    page = Client().get(ACCEPT)
    assert (page.status_code, page["Referrer-Policy"]) == (200, "same-origin")
    assert 'src="/static/accounts/link.js"' in page.content.decode()
    weak = Client().post(ACCEPT, {"token": token, "name": "N", "password": "password"})
    assert (weak.status_code, set(errors_of(weak))) == (400, {"password"})
    assert Client().post(ACCEPT, {"token": token, **NEW})["Location"] == "/admin/login/"
    assert membership_of(User.objects.get(email="new@example.test"), practice).roles == ["biller"]
    used = Client().post(ACCEPT, {"token": token, **NEW})
    assert errors_of(used) == {"__all__": ["This invitation is not valid (any more); ask for a new one."]}


def test_link_asks_a_user_of_another_practice_for_their_password(practice: Practice, other_practice: Practice) -> None:
    user = client_for("owner", other_practice).user
    with practice_scope(practice, actor=BY):
        row = invitations.invite(email=user.email, roles=["biller"], by=BY)
    token = token_of(practice, row)
    wrong = Client().post(ACCEPT, {"token": token, "password": "something-else"})
    assert errors_of(wrong) == {"__all__": ["The password is wrong."]}
    assert Client().post(ACCEPT, {"token": token, "password": PASSWORD})["Location"] == "/admin/login/"
    assert membership_of(user, practice).roles == ["biller"]


def test_guesses_on_the_page_are_limited(practice: Practice) -> None:
    statuses = [Client().post(ACCEPT, {"token": "x" * 64, **NEW}).content.decode() for _ in range(6)]
    assert ["Too many attempts" in each for each in statuses] == [False] * 5 + [True]


def test_key_is_revoked_by_whom_the_role_table_lets(practice: Practice, owner: AdminClient) -> None:
    maker = membership_of(client_for("admin", practice).user, practice)
    with practice_scope(practice, actor=BY):
        key = ApiKey.objects.create(
            name="Sync",
            prefix="abcdefgh",
            secret_hash="x",
            scopes=["patients:read"],
            member=maker,
            expires_at=timezone.now() + timedelta(days=1),
        )
    auditor = staff("auditor", practice)
    page = auditor.get(url(ApiKey, "change", key.pk)).content.decode()
    assert ("patients:read" in page, str(maker.user) in page) == (True, True)
    assert auditor.post(url(ApiKey, "do", key.pk, "revoke")).status_code == 403
    assert owner.post(url(ApiKey, "do", key.pk, "revoke")).status_code == 302
    with practice_scope(practice, actor=BY):
        assert ApiKey.objects.get().revoked_at is not None
    assert "Revoked" in owner.get(url(ApiKey, "changelist")).content.decode()
