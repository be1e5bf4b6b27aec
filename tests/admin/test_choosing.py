"""Coming in, choosing a practice, and being put out."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Membership, User
from audit.models import AuditEvent
from practices.middleware import SESSION_PRACTICE
from practices.models import Practice
from practices.tenancy import platform_scope, practice_scope
from tests.admin.pages import AdminClient, admin_client, staff
from tests.factories.accounts import PASSWORD, MembershipFactory, UserFactory
from tests.rows import SETUP

CHOOSE = "/admin/practice/"


def join(user: User, practice: Practice, *roles: str) -> Membership:
    with practice_scope(practice, actor=SETUP):
        membership: Membership = MembershipFactory.create(user=user, roles=list(roles))
        return membership


def log_in(user: User, client: Client | None = None, **query: str) -> tuple[Client, Any]:
    client = client or Client()
    answer = client.post("/admin/login/", {"username": user.email, "password": PASSWORD, **query}, follow=True)
    return client, answer


@pytest.fixture
def multi(practice: Practice, other_practice: Practice) -> User:
    user = UserFactory.create()
    join(user, practice, "front_desk")
    join(user, other_practice, "biller")
    return user


def test_only_practice_is_chosen_at_login(practice: Practice) -> None:
    user = UserFactory.create()
    join(user, practice, "front_desk")
    client, answer = log_in(user)
    assert (answer.status_code, answer.request["PATH_INFO"]) == (200, "/admin/")
    assert "Alder Clinic" in answer.content.decode()
    assert "Switch practice" not in answer.content.decode()
    assert client.session[SESSION_PRACTICE] == str(practice.pk)


def test_login_leads_where_somebody_wanted_to_go(practice: Practice) -> None:
    user = UserFactory.create()
    join(user, practice, "front_desk")
    asked = Client().get("/admin/patients/patient/")
    assert asked.headers["Location"] == "/admin/login/?next=/admin/patients/patient/"
    _, answer = log_in(user, next="/admin/patients/patient/")
    assert answer.request["PATH_INFO"] == "/admin/patients/patient/"


def test_member_of_two_practices_chooses_and_switches(
    multi: User, practice: Practice, other_practice: Practice
) -> None:
    client, answer = log_in(multi)
    assert answer.request["PATH_INFO"] == CHOOSE
    assert {"Alder Clinic", "Birch Clinic"} <= {each.practice.name for each in answer.context["memberships"]}
    for chosen, roles in ((practice, "Front Desk"), (other_practice, "Biller")):
        key = client.session.session_key
        home = client.post(CHOOSE, {"practice": str(chosen.pk)}, follow=True).content.decode()
        assert chosen.name in home
        assert roles in home
        assert "Switch practice" in home
        assert client.session.session_key != key


def test_choice_is_in_the_practices_log(multi: User, practice: Practice) -> None:
    client, _ = log_in(multi)
    client.post(CHOOSE, {"practice": str(practice.pk)})
    with practice_scope(practice, actor=SETUP):
        chosen = AuditEvent.objects.get(action="login", operation="POST admin:practice")
    assert (chosen.actor_id, chosen.roles, chosen.actor_label) == (multi.pk, ["front_desk"], str(multi))


def test_login_to_the_only_practice_is_logged_once(practice: Practice) -> None:
    user = UserFactory.create()
    join(user, practice, "front_desk")
    client, _ = log_in(user)
    client.post("/admin/logout/")
    with practice_scope(practice, actor=SETUP):
        events = AuditEvent.objects.filter(actor_id=user.pk, entity="accounts.user").order_by("at")
        assert [event.action for event in events] == ["login", "logout"]


def test_foreign_practice_can_not_be_chosen(multi: User, practice: Practice) -> None:
    with platform_scope(actor=SETUP):
        third = Practice.objects.create(slug="third", name="Third", time_zone="UTC")
    client, _ = log_in(multi)
    for nonsense in (str(third.pk), "platform", "", "\0", "x"):
        assert client.post(CHOOSE, {"practice": nonsense}).status_code == 403
    assert SESSION_PRACTICE not in client.session


def test_choosing_leads_only_to_pages_of_the_admin(multi: User, practice: Practice) -> None:
    client, _ = log_in(multi)
    for target, leads_to in (
        ("/admin/patients/patient/", "/admin/patients/patient/"),
        ("https://evil.example/", "/admin/"),
        ("//evil.example/admin/", "/admin/"),
        ("/\\evil.example", "/admin/"),
        ("javascript:alert(1)", "/admin/"),
    ):
        answer = client.post(CHOOSE, {"practice": str(practice.pk), "next": target})
        assert answer.headers["Location"] == leads_to


def test_suspended_member_is_out_at_the_next_click(practice: Practice) -> None:
    client = staff("owner", practice)
    assert client.get("/admin/patients/patient/").status_code == 200
    with practice_scope(practice, actor=SETUP):
        Membership.objects.filter(user=client.user).update(status="suspended")
    answer = client.get("/admin/patients/patient/", follow=True)
    assert answer.request["PATH_INFO"] == CHOOSE
    assert "not an active member of any practice" in answer.content.decode()
    assert client.post("/admin/logout/").status_code == 200


def test_suspended_practice_lets_nobody_in(practice: Practice) -> None:
    client = staff("owner", practice)
    with platform_scope(actor=SETUP):
        Practice.objects.filter(pk=practice.pk).update(status="suspended")
    assert client.get("/admin/", follow=True).request["PATH_INFO"] == CHOOSE


def test_superuser_enters_a_practice_only_as_its_member(practice: Practice, other_practice: Practice) -> None:
    root = UserFactory.create(is_superuser=True)
    join(root, practice, "auditor")
    client = admin_client(root, None)
    assert "Active practices" in client.get("/admin/").content.decode()
    assert client.post(CHOOSE, {"practice": str(other_practice.pk)}).status_code == 403
    assert "Alder Clinic" in client.post(CHOOSE, {"practice": str(practice.pk)}, follow=True).content.decode()
    assert client.get("/admin/accounts/user/").status_code == 403
    client.post(CHOOSE, {"practice": "platform"})
    assert client.get("/admin/accounts/user/").status_code == 200
    assert client.get("/admin/patients/patient/").status_code == 403


def test_superuser_who_forges_a_practice_gets_nowhere(practice: Practice) -> None:
    client = admin_client(UserFactory.create(is_superuser=True), practice)
    assert client.get("/admin/patients/patient/").headers["Location"] == "/admin/"
    assert SESSION_PRACTICE not in client.session


def test_new_password_ends_other_sessions(practice: Practice) -> None:
    client = staff("provider", practice)
    elsewhere = AdminClient()
    elsewhere.force_login(client.user)
    words = {"old_password": PASSWORD, "new_password1": "another-long-one-7", "new_password2": "another-long-one-7"}
    assert client.post("/admin/password_change/", words).status_code == 302
    assert client.get("/admin/").status_code == 200
    assert elsewhere.get("/admin/").headers["Location"].startswith("/admin/login/")


def test_logging_out_everywhere_ends_the_admin_too(practice: Practice) -> None:
    client = staff("provider", practice)
    with platform_scope(actor=SETUP):
        User.objects.filter(pk=client.user.pk).update(token_version=7)
    assert client.get("/admin/").headers["Location"].startswith("/admin/login/")


def test_deactivated_user_is_out(practice: Practice) -> None:
    client = staff("provider", practice)
    with platform_scope(actor=SETUP):
        User.objects.filter(pk=client.user.pk).update(is_active=False)
    assert client.get("/admin/").headers["Location"].startswith("/admin/login/")
