"""Coming into the admin through its own login page, and being put out of it."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from accounts import signals
from accounts.admin_session import LOGIN
from accounts.middleware import AdminMembershipMiddleware
from accounts.models import Membership, User
from practices.middleware import SESSION_PRACTICE
from practices.models import Practice
from practices.tenancy import Actor, current_actor, practice_scope
from tests.clients import client_for, session_for
from tests.factories.accounts import PASSWORD

LOGIN_PAGE = "/admin/login/"
BY = Actor.system("tests")

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(practice: Practice) -> User:
    return client_for(["front_desk", "biller"], practice).user


def log_in(client: Client, user: User, password: str = PASSWORD) -> Any:
    return client.post(LOGIN_PAGE, {"username": user.email, "password": password})


def test_login_page_takes_email_and_password(user: User) -> None:
    assert log_in(Client(), user).status_code == 302


def test_failed_login_is_announced_without_the_address(user: User) -> None:
    heard: list[dict[str, Any]] = []

    def listen(**kwargs: Any) -> None:
        heard.append(kwargs)

    signals.login_failed.connect(listen)
    response = log_in(Client(), user, "wrong")
    signals.login_failed.disconnect(listen)
    assert response.status_code == 200
    assert [(each["user_id"], user.email in str(each)) for each in heard] == [(user.pk, False)]


def test_login_page_shares_the_limits_of_the_token_endpoint(user: User) -> None:
    for _ in range(5):
        log_in(Client(), user, "wrong")
    response = log_in(Client(), user)  # the right password, one attempt too late
    assert (response.status_code, "Wait" in response.content.decode()) == (429, True)
    assert 0 < int(response.headers["Retry-After"]) <= 60


def visit(user: User, practice: Practice) -> tuple[HttpResponse, HttpRequest]:
    """A request of the user with this practice chosen, as the tenant middleware hands it on."""

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(",".join(current_actor().roles))

    request = RequestFactory().get("/admin/")
    request.user = user
    login = str(session_for(user, practice, kind="admin").pk)
    request.session = {SESSION_PRACTICE: str(practice.pk), LOGIN: login}  # type: ignore[assignment]  # all that is used of it
    with practice_scope(practice, actor=Actor.user(user.pk)):
        response = AdminMembershipMiddleware(view)(request)
    assert isinstance(response, HttpResponse)
    return response, request


def test_member_acts_with_their_roles_in_the_chosen_practice(user: User, practice: Practice) -> None:
    response, _ = visit(user, practice)
    assert response.content == b"front_desk,biller"


def test_suspended_member_loses_the_chosen_practice(user: User, practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        Membership.objects.update(status="suspended")
    response, request = visit(user, practice)
    assert (response.status_code, response.headers["Location"]) == (302, "/admin/")
    assert SESSION_PRACTICE not in request.session


def test_stranger_does_not_get_into_a_practice_by_choosing_it(user: User, other_practice: Practice) -> None:
    response, request = visit(user, other_practice)
    assert response.status_code == 302
    assert SESSION_PRACTICE not in request.session


def test_superuser_without_membership_gets_into_no_practice(user: User, other_practice: Practice) -> None:
    user.is_superuser = True
    assert visit(user, other_practice)[0].status_code == 302
