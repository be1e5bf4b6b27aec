"""The second factor in the admin: asked for after the password, and set up where it has to be."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.admin_second_factor import PAGE, WAITING, WAITING_SECONDS
from accounts.admin_session import PROVEN
from accounts.models import TotpDevice, User
from audit.models import AuditEvent
from practices.models import Practice, PracticePolicy
from practices.tenancy import platform_scope, practice_scope
from tests.accounts.test_tokens import log_in as api_log_in
from tests.accounts.test_tokens import me, member
from tests.admin.pages import admin_client, url
from tests.factories.accounts import PASSWORD, UserFactory
from tests.factories.second_factor import RECOVERY, code_now, enrol
from tests.integrations.jobs import record_login_failures
from tests.rows import SETUP

LOGIN, CODE = "/admin/login/", "/admin/login/code/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _unlimited(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False


@pytest.fixture
def user(practice: Practice) -> User:
    return member(practice, "owner")


@pytest.fixture
def root(db: None) -> User:
    return UserFactory.create(is_superuser=True)


def give_password(user: User, **more: str) -> tuple[Client, Any]:
    client = Client()
    return client, client.post(LOGIN, {"username": user.email, "password": PASSWORD, **more})


def require(practice: Practice, *roles: str) -> None:
    with practice_scope(practice, actor=SETUP):
        PracticePolicy.objects.create(mfa_required_roles=list(roles))


def told(practice: Practice, user: User) -> list[str]:
    """What the practice's log says of the user's second factor."""
    with practice_scope(practice, actor=SETUP):
        events = AuditEvent.objects.filter(entity="accounts.user", entity_id=user.pk, action="update").order_by("at")
        return [event.changes["second_factor"][1] for event in events if "second_factor" in event.changes]


def set_up(client: Client) -> tuple[str, Any]:
    """Through the page as a browser would; the secret, and the page with the recovery codes."""
    page = client.post(PAGE, {"step": "begin", "password": PASSWORD})
    assert page.content.decode().count("<svg") == 1
    secret = page.context["secret"]
    return secret, client.post(PAGE, {"step": "confirm", "otp": code_now(secret)})


# --- Logging in -------------------------------------------------------------------------------------


def test_password_alone_logs_nobody_in_who_has_an_app(user: User, practice: Practice) -> None:
    enrol(user)
    client, answer = give_password(user, next="/admin/patients/patient/")
    assert answer.headers["Location"] == CODE
    assert SESSION_KEY not in client.session
    assert client.get("/admin/").headers["Location"].startswith(LOGIN)
    answer = client.post(CODE, {"otp": code_now()})
    assert answer.headers["Location"] == "/admin/patients/patient/"
    assert client.get("/admin/patients/patient/").status_code == 200
    assert client.get(CODE).headers["Location"] == LOGIN
    with practice_scope(practice, actor=SETUP):
        assert AuditEvent.objects.filter(action="login", actor_id=user.pk).count() == 1


def test_code_logs_in_once_and_a_recovery_code_too(user: User) -> None:
    enrol(user)
    code = code_now()
    for otp, status in ((code, 302), (code, 401), (RECOVERY, 302), (RECOVERY, 401), ("", 400), ("x" * 65, 400)):
        client, _ = give_password(user)
        assert client.post(CODE, {"otp": otp}).status_code == status, otp
        assert (SESSION_KEY in client.session) == (status == 302)


def test_recovery_code_used_in_the_admin_is_in_the_practices_log(user: User, practice: Practice) -> None:
    enrol(user)
    client, _ = give_password(user)
    client.post(CODE, {"otp": RECOVERY})
    assert told(practice, user) == ["recovery code used"]


def test_code_used_at_the_api_is_used(user: User) -> None:
    enrol(user)
    code = code_now()
    assert api_log_in(user, otp=code).status_code == 200
    client, _ = give_password(user)
    assert client.post(CODE, {"otp": code}).status_code == 401


def test_wrong_code_is_a_failed_login_and_limited(user: User, practice: Practice, settings: Settings) -> None:
    enrol(user)
    settings.RATELIMIT_ENABLE = True
    client, _ = give_password(user)
    assert [client.post(CODE, {"otp": "000000"}).status_code for _ in range(5)] == [401] * 4 + [429]
    assert client.post(CODE, {"otp": code_now()}).status_code == 429
    record_login_failures()
    with practice_scope(practice, actor=SETUP):
        events = AuditEvent.objects.filter(action="login-failed", entity_id=user.pk)
        assert [event.reason for event in events] == ["invalid_otp"] * 4


def test_code_page_needs_a_password_given_just_now(user: User) -> None:
    enrol(user)
    assert Client().post(CODE, {"otp": code_now()}).headers["Location"] == LOGIN
    client, _ = give_password(user)
    session = client.session
    session[WAITING] = {**session[WAITING], "at": session[WAITING]["at"] - WAITING_SECONDS - 1}
    session.save()
    assert client.post(CODE, {"otp": code_now()}).headers["Location"] == LOGIN


@pytest.mark.parametrize("change", [{"is_active": False}, {"token_version": 9}])
def test_code_page_forgets_who_was_put_out_meanwhile(user: User, change: dict[str, Any]) -> None:
    enrol(user)
    client, _ = give_password(user)
    with platform_scope(actor=SETUP):
        User.objects.filter(pk=user.pk).update(**change)
    assert client.post(CODE, {"otp": code_now()}).headers["Location"] == LOGIN


def test_user_without_an_app_logs_in_as_before(user: User) -> None:
    client, answer = give_password(user)
    assert answer.headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


# --- Who must ---------------------------------------------------------------------------------------


def test_superuser_sees_nothing_but_enrolment(root: User, practice: Practice) -> None:
    client, _ = give_password(root)
    for address in ("/admin/", "/admin/accounts/user/", "/admin/practice/", "/admin/password_change/", "/admin/x/"):
        assert client.get(address).headers["Location"] == PAGE, address
    for address in ("/admin/practice/", url(Practice, "add"), url(User, "change", root.pk)):
        assert client.post(address, {"practice": "platform"}).headers["Location"] == PAGE, address
    assert "needs a second factor" in client.get(PAGE).content.decode()
    assert client.post("/admin/logout/").status_code == 200


def test_superuser_sets_it_up_and_goes_on(root: User) -> None:
    client, _ = give_password(root)
    elsewhere = admin_client(root, None)
    secret, page = set_up(client)
    assert len(set(re.findall(r"<code>([a-z2-7-]{29})</code>", page.content.decode()))) == 10
    assert client.get("/admin/accounts/user/").status_code == 200
    assert elsewhere.get("/admin/accounts/user/").headers["Location"].startswith(LOGIN)
    client, answer = give_password(root)
    assert answer.headers["Location"] == CODE
    assert client.post(CODE, {"otp": code_now(secret, steps=1)}).status_code == 302
    assert client.get("/admin/accounts/user/").status_code == 200


def test_member_must_where_the_practice_says_so(user: User, practice: Practice) -> None:
    require(practice, "owner", "biller")
    desk = member(practice, "front_desk")
    client, _ = give_password(user)
    assert client.get("/admin/patients/patient/").headers["Location"] == PAGE
    assert give_password(desk)[0].get("/admin/patients/patient/").status_code == 200
    set_up(client)
    assert client.get("/admin/patients/patient/").status_code == 200


def test_policy_of_another_practice_asks_nobody_here(user: User, practice: Practice, other_practice: Practice) -> None:
    require(other_practice, "owner")
    assert give_password(user)[0].get("/admin/patients/patient/").status_code == 200


def test_policy_holds_for_who_is_logged_in_already(user: User, practice: Practice) -> None:
    client, _ = give_password(user)
    assert client.get("/admin/patients/patient/").status_code == 200
    with practice_scope(practice, actor=SETUP):
        policy = PracticePolicy.objects.create()
    fields = {"min_notice_minutes": 0, "horizon_days": 365, "cancel_notice_hours": 24, "hold_ttl_seconds": 600}
    fields |= {"offer_ttl_minutes": 120, "retention_years": 10}
    form = {**fields, "mfa_required_roles": ["owner"], "seen_version": 1}
    assert client.post(url(PracticePolicy, "change", policy.pk), form).status_code == 302
    assert client.get("/admin/patients/patient/").headers["Location"] == PAGE


# --- The page ---------------------------------------------------------------------------------------


@pytest.fixture
def client(user: User) -> Client:
    """Logged in with a second factor."""
    enrol(user)
    client, _ = give_password(user)
    client.post(CODE, {"otp": code_now(steps=-1)})
    return client


def test_setting_up_ends_other_logins_of_the_api_too(user: User) -> None:
    tokens = api_log_in(user).json()
    client, _ = give_password(user)
    set_up(client)
    assert me(tokens["access_token"]).status_code == 401
    assert client.session[PROVEN] is True


def test_wrong_answers_change_nothing(client: Client, user: User) -> None:
    for step in ("renew", "remove"):
        assert client.post(PAGE, {"step": step, "password": "x", "otp": code_now()}).status_code == 403
        assert client.post(PAGE, {"step": step, "password": PASSWORD, "otp": "000000"}).status_code == 403
    assert client.post(PAGE, {"step": "x"}).status_code == 400
    assert client.post(PAGE, {"step": "begin", "password": PASSWORD}).status_code == 409
    assert client.get(PAGE).context["state"].recovery_codes_left == 1


def test_wrong_first_code_shows_the_same_key_again(user: User) -> None:
    client, _ = give_password(user)
    assert client.post(PAGE, {"step": "begin", "password": "x"}).status_code == 403
    assert client.post(PAGE, {"step": "confirm", "otp": "000000"}).status_code == 409
    secret = client.post(PAGE, {"step": "begin", "password": PASSWORD}).context["secret"]
    again = client.post(PAGE, {"step": "confirm", "otp": "000000"})
    assert (again.status_code, again.context["secret"]) == (403, secret)


def test_renewing_and_removing(client: Client, user: User) -> None:
    page = client.post(PAGE, {"step": "renew", "password": PASSWORD, "otp": code_now()})
    codes = page.context["recovery_codes"]
    assert client.get(PAGE).context["state"].recovery_codes_left == 10
    assert client.post(PAGE, {"step": "remove", "password": PASSWORD, "otp": codes[0]}).status_code == 200
    assert client.get("/admin/").status_code == 200
    assert give_password(user)[1].headers["Location"] == "/admin/"


def test_password_page_goes_on_working(client: Client) -> None:
    words = {"old_password": PASSWORD, "new_password1": "another-long-one-7", "new_password2": "another-long-one-7"}
    assert client.post("/admin/password_change/", words).status_code == 302
    assert client.get("/admin/").status_code == 200


def test_superuser_removes_the_app_of_a_lost_telephone(
    client: Client, user: User, root: User, practice: Practice
) -> None:
    platform = admin_client(root, None)
    platform.get(url(User, "change", user.pk))
    done = platform.post(url(User, "do", user.pk, "remove-second-factor"))
    assert done.status_code == 302
    with platform_scope(actor=SETUP):
        assert not TotpDevice.objects.exists()
    assert client.get("/admin/").headers["Location"].startswith(LOGIN)
    assert give_password(user)[1].headers["Location"] == "/admin/"
    assert told(practice, user) == ["removed"]
    enrol(root)
    refused = platform.post(url(User, "do", root.pk, "remove-second-factor"), follow=True)
    assert "can&#x27;t be done now" in refused.content.decode()
    with platform_scope(actor=SETUP):
        assert TotpDevice.objects.filter(user=root).exists()


def test_every_page_names_the_practice_and_leads_to_the_others(practice: Practice, other_practice: Practice) -> None:
    user = member(other_practice, "owner", user=member(practice, "owner"))
    client, _ = give_password(user)
    client.post("/admin/practice/", {"practice": str(practice.pk)})
    home = client.get("/admin/")
    links = [str(item["link"]) for group in home.context["sidebar_navigation"] for item in group["items"]]
    for address in [*links, "/admin/password_change/"]:
        text = client.get(address).content.decode()
        assert practice.name in text, address
        assert 'href="/admin/practice/"' in text, address
        assert other_practice.name not in text, address
    assert f"{practice.name} (where you are)" in client.get("/admin/practice/").content.decode()
