"""Forgotten passwords: a link that works once, for its user alone, and that tells nobody who has an account."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from accounts.models import PasswordReset, User
from accounts.password_reset import make_link
from audit.models import AuditEvent, PlatformAuditEvent
from practices.models import Practice
from practices.tenancy import Actor, platform_scope, practice_scope
from tests.clients import client_for, client_of
from tests.factories.accounts import PASSWORD, MembershipFactory, UserFactory
from tests.factories.second_factor import code_now, enrol

RESET = "/api/v1/auth/password/reset"
CONFIRM = "/api/v1/auth/password/reset/confirm"
ME = "/api/v1/auth/me"
NEW = "a-rather-rare-sentence"
BY = Actor.system("tests")

pytestmark = pytest.mark.django_db


def token_for(user: User) -> str:
    link = make_link(user_id=user.pk)
    assert link is not None
    return link.partition("#")[2]


def confirm(token: str, password: str = NEW) -> Any:
    return APIClient().post(CONFIRM, {"token": token, "new_password": password})


def log_in(user: User, password: str) -> int:
    body = {"grant_type": "password", "username": user.email, "password": password}
    return APIClient().post("/api/v1/auth/token", body).status_code


def changed(user: User) -> bool:
    return User.objects.get(pk=user.pk).password != user.password


def test_link_sets_a_new_password_once(practice: Practice) -> None:
    user = client_for("provider", practice).user
    token, other = token_for(user), token_for(user)
    assert confirm(token).status_code == 204
    assert (log_in(user, NEW), log_in(user, PASSWORD)) == (200, 401)
    for used in (token, other):
        response = confirm(used, "yet-another-rare-one")
        assert (response.status_code, response.json()["code"]) == (400, "validation_error")
        assert [(each["pointer"], each["code"]) for each in response.json()["errors"]] == [("/token", "invalid_token")]
    assert log_in(user, NEW) == 200
    assert not PasswordReset.objects.exists()


def test_link_is_not_consumed_by_looking_at_it(practice: Practice) -> None:
    user = client_for("provider", practice).user
    token = token_for(user)
    for method in ("get", "head", "patch", "delete"):
        assert getattr(APIClient(), method)(CONFIRM, {"token": token}).status_code in {405, 400}
    assert not changed(user)
    assert confirm(token).status_code == 204


def test_new_password_is_no_way_around_the_second_factor(practice: Practice) -> None:
    user = client_for("provider", practice).user
    enrol(user)
    assert confirm(token_for(user)).status_code == 204
    body = {"grant_type": "password", "username": user.email, "password": NEW}
    for otp, code in (({}, "otp_required"), ({"otp": "000000"}, "invalid_credentials")):
        response = APIClient().post("/api/v1/auth/token", {**body, **otp})
        assert (response.status_code, response.json()["code"]) == (401, code)
    browser = Client()
    browser.post("/admin/login/", {"username": user.email, "password": NEW})
    assert browser.get("/admin/").status_code == 302
    assert APIClient().post("/api/v1/auth/token", {**body, "otp": code_now()}).status_code == 200


def test_reset_ends_every_login_everywhere(practice: Practice, other_practice: Practice) -> None:
    here = client_for("provider", practice)
    with practice_scope(other_practice, actor=BY):
        MembershipFactory.create(user=here.user, roles=["biller"])
    there, stranger = client_of(here.user, other_practice), client_for("owner", practice)
    browser = Client()
    browser.force_login(here.user)
    assert browser.get("/admin/practice/").status_code == 200
    assert confirm(token_for(here.user)).status_code == 204
    assert (here.get(ME).status_code, there.get(ME).status_code, stranger.get(ME).status_code) == (401, 401, 200)
    assert browser.get("/admin/practice/").status_code == 302


def test_weak_password_is_refused_and_the_link_stays_good(practice: Practice) -> None:
    user = client_for("provider", practice).user
    token = token_for(user)
    response = confirm(token, "password1234")
    assert (response.status_code, {each["pointer"] for each in response.json()["errors"]}) == (400, {"/new_password"})
    assert not changed(user)
    assert confirm(token).status_code == 204


def _let_expire(user: User) -> None:
    PasswordReset.objects.update(expires_at=timezone.now())


def _deactivate(user: User) -> None:
    with platform_scope(actor=BY):
        User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize("end", [_let_expire, _deactivate])
def test_link_that_is_over_looks_like_one_that_never_was(practice: Practice, end: Any) -> None:
    user = client_for("provider", practice).user
    token = token_for(user)
    end(user)
    over, unknown = confirm(token), confirm("x" * 43)
    assert over.status_code == unknown.status_code == 400
    assert over.json()["errors"] == unknown.json()["errors"]
    assert not changed(user)


def test_link_lasts_half_an_hour_and_its_token_is_nowhere(practice: Practice) -> None:
    user = client_for("provider", practice).user
    token = token_for(user)
    with connection.cursor() as cursor:
        cursor.execute("SELECT token_hash, to_jsonb(r)::text FROM accounts_passwordreset r")
        ((digest, row),) = cursor.fetchall()
    assert (len(digest), token in row) == (64, False)
    left = PasswordReset.objects.get().expires_at - timezone.now()
    assert timedelta(minutes=29) < left <= timedelta(minutes=30)


def test_old_links_are_swept_when_one_is_made(practice: Practice) -> None:
    one, two = UserFactory.create(), UserFactory.create()
    token_for(one)
    _let_expire(one)
    token_for(two)
    assert list(PasswordReset.objects.values_list("user", flat=True)) == [two.pk]


def test_no_link_is_made_for_nobody_or_who_was_put_out(practice: Practice) -> None:
    user = UserFactory.create(is_active=False)
    assert make_link(user_id=user.pk) is None
    assert make_link(user_id=practice.pk) is None


def test_asking_is_answered_alike_and_costs_alike(practice: Practice, settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = False
    user = client_for("provider", practice).user
    put_out = UserFactory.create(is_active=False)

    def ask(email: str) -> tuple[Any, ...]:
        with CaptureQueriesContext(connection) as queries:
            response = APIClient().post(RESET, {"email": email})
        headers = {name: value for name, value in response.headers.items() if name != "X-Request-ID"}
        return response.status_code, response.content, headers, len(queries)

    ask(user.email)
    answers = [ask(email) for email in (user.email, user.email.upper(), "nobody@example.test", put_out.email)]
    assert answers[0][:2] == (204, b"")
    assert answers == [answers[0]] * 4


def test_asking_is_limited_per_account(practice: Practice) -> None:
    answers = [APIClient().post(RESET, {"email": "a@b.test"}).status_code for _ in range(6)]
    assert answers == [204] * 5 + [429]


@pytest.mark.parametrize(
    ("path", "body", "pointers"),
    [
        (RESET, {}, {"/email"}),
        (RESET, {"email": "nonsense"}, {"/email"}),
        (RESET, {"email": "a@b.test", "url": "https://evil.test"}, {"/url"}),
        (CONFIRM, {}, {"/token", "/new_password"}),
        (CONFIRM, {"token": ["x"], "new_password": 7}, {"/token", "/new_password"}),
    ],
)
def test_malformed_body_names_its_fields(practice: Practice, path: str, body: Any, pointers: set[str]) -> None:
    response = APIClient().post(path, body)
    assert response.status_code == 400
    assert {error["pointer"] for error in response.json()["errors"]} == pointers


def test_reset_is_an_event_of_the_user_in_each_practice(practice: Practice, other_practice: Practice) -> None:
    user = client_for("provider", practice).user
    assert confirm(token_for(user)).status_code == 204
    with practice_scope(practice, actor=BY):
        (event,) = AuditEvent.objects.filter(action="update", entity="accounts.user", actor_id=user.pk)
        assert (event.entity_id, event.changes) == (user.pk, {"password": None})
    with practice_scope(other_practice, actor=BY):
        assert not AuditEvent.objects.filter(entity="accounts.user").exists()
    with platform_scope(actor=BY):
        assert PlatformAuditEvent.objects.filter(action="update", actor_id=user.pk, entity_id=user.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_link_used_twice_at_once_works_once(practice: Practice) -> None:
    user = client_for("provider", practice).user
    token = token_for(user)

    def use(number: int) -> int:
        try:
            return int(confirm(token, f"{NEW}-{number}").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(use, range(4))) == [204, 400, 400, 400]
