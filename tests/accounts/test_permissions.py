"""The role table at the endpoints: every role at every settings endpoint, and views that name no area."""

from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.permissions import RolePermission, sees_only_own
from accounts.roles import ROLE_ACCESS, Access, Area, Role, allowed
from practices.models import CancellationReason, Location, Practice
from practices.tenancy import Actor, practice_scope
from tests.clients import client_for
from tests.factories.accounts import UserFactory

BY = Actor.system("tests")
API = "/api/v1"

pytestmark = pytest.mark.django_db


def may(role: Role, area: Area, access: Access) -> bool:
    return ROLE_ACCESS[area][role].others >= access


@pytest.mark.parametrize("role", Role.values)
def test_settings_are_open_to_each_role_as_far_as_the_table_says(practice: Practice, role: str) -> None:
    with practice_scope(practice, actor=BY):
        location = Location.objects.create(name="Here")
    client = client_for(role, practice)
    area = Area.PRACTICE_SETTINGS

    def expect(response: Any, access: Access, status: int) -> None:
        assert response.status_code == (status if may(Role(role), area, access) else 403)

    expect(client.get(f"{API}/locations"), Access.READ, 200)
    expect(client.get(f"{API}/locations/{location.pk}"), Access.READ, 200)
    expect(client.post(f"{API}/locations", {"name": "There"}), Access.WRITE, 201)
    expect(client.patch(f"{API}/locations/{location.pk}", {"city": "Troy"}), Access.WRITE, 200)
    expect(client.delete(f"{API}/locations/{location.pk}"), Access.FULL, 204)
    expect(client.get(f"{API}/practice"), Access.READ, 200)
    expect(client.patch(f"{API}/practice", {"name": "Elm"}), Access.WRITE, 200)
    expect(client.get(f"{API}/practice/policy"), Access.READ, 200)
    expect(client.patch(f"{API}/practice/policy", {"horizon_days": 30}), Access.WRITE, 200)


@pytest.mark.parametrize("role", Role.values)
def test_members_are_open_to_each_role_as_far_as_the_table_says(practice: Practice, role: str) -> None:
    client, colleague = client_for(role, practice), client_for("assistant", practice)
    members = client.get(f"{API}/members").json()["results"]
    theirs = next(each["id"] for each in members if each["user"]["id"] == str(colleague.user.pk))
    writes = may(Role(role), Area.MEMBERS, Access.WRITE)
    response = client.patch(f"{API}/members/{theirs}", {"roles": ["biller"]})
    assert response.status_code == (200 if writes else 403)
    assert client.post(f"{API}/members/{theirs}/suspend").status_code == (200 if writes else 403)
    removes = may(Role(role), Area.MEMBERS, Access.FULL)
    assert client.delete(f"{API}/members/{theirs}").status_code == (204 if removes else 403)


def test_roles_add_up() -> None:
    both = ["biller", "provider"]
    assert not allowed(["biller"], Area.CLINICAL, Access.READ)
    assert allowed(both, Area.CLINICAL, Access.WRITE)
    assert allowed(both, Area.MONEY, Access.FULL)
    assert not allowed(["owner", "nobody"], Area.NOTES, Access.READ)
    assert not allowed(["owner"], "nowhere", Access.READ)


def ask(method: str, view: APIView, roles: tuple[str, ...], practice: Practice, obj: object = None) -> bool:
    user = UserFactory.create()
    with practice_scope(practice, actor=Actor.user(user.pk, roles)):
        request = Request(RequestFactory().generic(method, "/"))
        request.user = user
        permission = RolePermission()
        return permission.has_permission(request, view) and (
            obj is None or permission.has_object_permission(request, view, obj)
        )


def view_with(**attributes: object) -> APIView:
    view = APIView()
    for name, value in attributes.items():
        setattr(view, name, value)
    return view


def test_view_without_area_is_denied(practice: Practice) -> None:
    assert not ask("GET", view_with(), ("owner",), practice)


def test_view_takes_the_area_of_its_model(practice: Practice) -> None:
    view = view_with(queryset=CancellationReason.objects.all())
    assert ask("GET", view, ("biller",), practice)
    assert not ask("POST", view, ("biller",), practice)


def test_action_access_names_another_area_for_one_action(practice: Practice) -> None:
    view = view_with(area=Area.APPOINTMENTS, action_access={"undo": (Area.OVERBOOK, Access.WRITE)})
    assert ask("POST", view, ("front_desk",), practice)
    view.action = "undo"  # type: ignore[attr-defined]  # as a viewset has it
    assert not ask("POST", view, ("front_desk",), practice)
    assert ask("POST", view, ("admin",), practice)


def test_own_rows_are_all_that_an_own_grant_opens(practice: Practice) -> None:
    mine, other = object(), object()
    view = view_with(area=Area.AVAILABILITY, is_own=lambda obj: obj is mine)
    assert ask("PATCH", view, ("provider",), practice, mine)
    assert not ask("PATCH", view, ("provider",), practice, other)
    assert ask("PATCH", view, ("admin",), practice, other)
    assert not ask("PATCH", view_with(area=Area.AVAILABILITY), ("provider",), practice, mine)


@pytest.mark.parametrize(("roles", "only_own"), [(("provider",), True), (("provider", "admin"), False), ((), False)])
def test_lists_are_narrowed_for_own_grants(practice: Practice, roles: tuple[str, ...], only_own: bool) -> None:
    with practice_scope(practice, actor=Actor.user(UserFactory.create().pk, roles)):
        assert sees_only_own(Area.AVAILABILITY) is only_own
