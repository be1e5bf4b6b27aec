"""Forgotten passwords in the admin: the page that asks for a link, and the one the link opens."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import PasswordReset, User
from accounts.password_reset import make_link
from practices.models import Practice
from tests.clients import client_for

ASK = "/admin/forgot-password/"
CHOOSE = "/admin/password-reset/"
NEW = "a-rather-rare-sentence"

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(practice: Practice) -> User:
    return client_for("front_desk", practice).user


def choose(token: str, password: str = NEW, client: Client | None = None) -> Any:
    return (client or Client()).post(CHOOSE, {"token": token, "new_password": password})


def token_for(user: User) -> str:
    page, _, token = (make_link(user_id=user.pk) or "").partition("#")
    assert page == f"{settings.PUBLIC_URL}{CHOOSE}"
    return token


def test_login_page_leads_to_asking_for_a_link(user: User) -> None:
    assert ASK in Client().get("/admin/login/").content.decode()
    answers = []
    for email in (user.email, "nobody@example.test"):
        client = Client()
        assert client.post(ASK, {"email": email})["Location"] == "/admin/login/"
        answers.append(client.get("/admin/login/").content.decode().count("a link is on its way"))
    assert answers == [1, 1]
    assert Client().post(ASK, {"email": "nonsense"}).status_code == 400


def test_link_opens_a_page_that_sets_the_password_once(user: User) -> None:
    token = token_for(user)
    page = Client().get(CHOOSE)
    assert (page.status_code, page["Cache-Control"], page["Referrer-Policy"]) == (
        200,
        "max-age=0, no-cache, no-store, must-revalidate, private",
        "same-origin",
    )
    assert 'src="/static/accounts/link.js"' in page.content.decode()
    weak = choose(token, "password1234")
    assert (weak.status_code, "too common" in weak.content.decode()) == (400, True)
    assert choose(token)["Location"] == "/admin/login/"
    again = choose(token, "yet-another-rare-one")
    assert (again.status_code, "was used, or is too old" in again.content.decode()) == (400, True)
    assert User.objects.get(pk=user.pk).check_password(NEW)


def test_who_is_logged_in_is_put_out_by_their_own_link(user: User) -> None:
    browser = Client()
    browser.force_login(user)
    assert browser.get(CHOOSE).status_code == 200
    assert choose(token_for(user), client=browser).status_code == 302
    assert browser.get("/admin/")["Location"].startswith("/admin/login/")


def test_guessing_at_links_is_slowed_down(user: User) -> None:
    token = token_for(user)
    for _ in range(10):
        assert choose("x" * 43).status_code == 400
    assert "Too many attempts" in choose(token).content.decode()
    assert PasswordReset.objects.exists()


def test_form_of_another_site_is_refused(user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert choose(token_for(user), client=client).status_code == 403
    assert client.post(ASK, {"email": user.email}).status_code == 403
