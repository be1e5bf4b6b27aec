"""Every route x method x role is what `role_matrix.txt` says, both ways: what it allows is allowed, the rest refused.

Routes come from the URL resolver and rows from introspection: a new route needs its line in the table, no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import models, transaction
from rest_framework.test import APIClient

from accounts.models import Membership, User
from accounts.permissions import RolePermission, needed
from accounts.roles import ROLE_ACCESS, WRITE, Area, Role, grant
from practices.models import Practice, TenantModel
from practices.tenancy import practice_scope
from tests.clients import client_for, membership_of
from tests.routes import Route, api_routes, other_paths
from tests.rows import SETUP, START, make_row, tenant_models

TABLE = Path(__file__).with_name("role_matrix.txt")
COLUMNS = ("nobody", *Role.values)
WORDS = ("allow", "deny", "own")
REFUSED = (401, 403)
STATES: dict[str, dict[str, Any]] = {"POST /appointments/{pk}/undo": {"status": "arrived", "arrived_at": START}}
"""Route -> values of its row, where the role is only asked about once the row's state is right."""
OF_MEMBER: dict[str, dict[str, Any]] = {
    "practices.Resource": {"kind": "provider"},
    "appointments.Appointment": {"series": None, "group": None},
    "patients.AccessGrant": {"reviewed_by": None},
    "patients.LegalHold": {"released_by": None},
}
"""Model -> values that make a row a member's own, besides its keys or instead of some."""


@cache
def table() -> dict[str, dict[str, str]]:
    """`METHOD /path` -> column -> word."""
    lines = [line.split() for line in TABLE.read_text().splitlines() if line.strip() and not line.startswith("#")]
    assert all(len(line) == 2 + len(COLUMNS) for line in lines), "each line: method, path, a word for each column"
    assert {word for line in lines for word in line[2:]} <= set(WORDS)
    rows = {f"{method} {path}": dict(zip(COLUMNS, words, strict=True)) for method, path, *words in lines}
    assert len(rows) == len(lines), "a route has one line"
    return rows


@dataclass
class World:
    """One member with one role (or nobody), and rows of the practice: a stranger's to them, and their own."""

    practice: Practice
    role: str
    client: APIClient
    member: Membership | None
    rows: dict[tuple[object, ...], Any]

    def answer(self, route: Route, row: Any = None) -> Any:
        """The route's answer to an empty body; whatever it did is undone."""
        body = "{}" if route.method in {"POST", "PATCH", "PUT"} else ""
        url = route.url(**{name: self._id_for(name, row) for name in route.parameters})
        savepoint = transaction.savepoint()
        response = self.client.generic(route.method, url, body, "application/json")
        transaction.savepoint_rollback(savepoint)
        return response

    def row_for(self, route: Route, *, own: bool) -> Any:
        """None where the route names no row, or where no row of that kind can be the member's."""
        if "pk" not in route.parameters:
            return None
        model, values = route.view.queryset.model, STATES.get(str(route), {})
        if not own:
            return self._once(model, values, own=False)
        return self._once(model, values, own=True) if self.member and leads_to_member(model) else None

    def _once(self, model: type[models.Model], values: dict[str, Any], *, own: bool) -> Any:
        key = (model, str(values), own and self.role)
        if key not in self.rows:
            with practice_scope(self.practice, actor=SETUP):
                self.rows[key] = self._row_of_member(model, values) if own else make_row(model, **values)
        return self.rows[key]

    def _row_of_member(self, model: type[models.Model], values: dict[str, Any]) -> Any:
        """Its keys, and the keys of what they lead to, end in the member."""
        assert self.member is not None
        if model in (Membership, User):
            return self.member if model is Membership else self.member.user
        keys = {
            key.name: self._once(key.related_model, {}, own=True)
            for key in keys_of(model)
            if key.related_model is not model and leads_to_member(key.related_model)
        }
        return make_row(model, **{**keys, **OF_MEMBER.get(model._meta.label, {}), **values})

    def _id_for(self, parameter: str, row: Any) -> UUID:
        if row is not None:
            return UUID(str(getattr(row, parameter)))
        model = next(
            each for each in tenant_models() if f"{each._meta.model_name}_id" == parameter.replace("_pk", "_id")
        )
        return UUID(str(self._once(model, {}, own=False).pk))


def keys_of(model: type[models.Model]) -> list[Any]:
    return [each for each in model._meta.concrete_fields if isinstance(each, models.ForeignKey)]


@cache
def leads_to_member(model: type[models.Model]) -> bool:
    if model in (Membership, User):
        return True
    return issubclass(model, TenantModel) and any(
        leads_to_member(key.related_model) for key in keys_of(model) if key.related_model is not model
    )


def world_of(role: str, practice: Practice, rows: dict[tuple[object, ...], Any] | None = None) -> World:
    """Worlds that are given the same `rows` share the stranger's."""
    rows = {} if rows is None else rows
    if role == "nobody":
        return World(practice, role, APIClient(), None, rows)
    client = client_for(role, practice)
    return World(practice, role, client, membership_of(client.user, practice), rows)


def observed(world: World, route: Route) -> str:
    """The word for what really happens."""
    row = world.row_for(route, own=False)
    response = world.answer(route, row)
    assert response.status_code < 500, (str(route), response.content)
    assert response.status_code != 405, str(route)
    if row is None:
        return "deny" if response.status_code in REFUSED else _allowed_without_a_row(world, route)
    if response.status_code not in (*REFUSED, 404):
        return "allow"
    own = world.row_for(route, own=True)
    if own is not None and world.answer(route, own).status_code not in (*REFUSED, 404):
        return "own"
    return "deny" if response.status_code in REFUSED else "hidden"


def _allowed_without_a_row(world: World, route: Route) -> str:
    """Lists and creating: whether for all rows or own ones is what the role table grants."""
    view = route.view()
    if RolePermission not in view.permission_classes:
        return "allow"
    view.action = route.action
    granted = grant([world.role], (asked := needed(route, view))[0])  # type: ignore[arg-type]  # a route has a method
    return "allow" if granted.others >= asked[1] else "own"


def line(key: str, words: list[str]) -> str:
    method, _, path = key.partition(" ")
    return f"{method:<7}{path:<60}" + "".join(f"{word:<11}" for word in words).rstrip()


@pytest.mark.django_db
def test_every_route_has_its_line_and_every_line_its_route(practice: Practice, settings: Any) -> None:
    settings.RATELIMIT_ENABLE = False
    routes = api_routes()
    rows: dict[tuple[object, ...], Any] = {}
    worlds = [world_of(role, practice, rows) for role in COLUMNS] if routes.keys() - table().keys() else []
    missing = [line(key, [observed(world, routes[key]) for world in worlds]) for key in routes if key not in table()]
    gone = [key for key in table() if key not in routes]
    if missing or gone:
        add = [
            f"{len(missing)} routes have no line in tests/{TABLE.name}. What they do now, to check and add:",
            *missing,
        ]
        remove = [f"{len(gone)} lines of tests/{TABLE.name} have no route. Take them out:", *gone]
        pytest.fail("\n".join(["", *(add if missing else ()), *(remove if gone else ())]), pytrace=False)


@pytest.mark.django_db
@pytest.mark.parametrize("role", COLUMNS)
def test_role_may_do_what_the_table_says_and_nothing_else(practice: Practice, role: str, settings: Any) -> None:
    settings.RATELIMIT_ENABLE = False
    world, routes = world_of(role, practice), api_routes()
    expected = {key: words[role] for key, words in table().items() if key in routes}
    found = {key: observed(world, routes[key]) for key in expected}
    wrong = {key: word for key, word in found.items() if word != expected[key]}
    assert [f"{key}: {TABLE.name} says {expected[key]}, in fact {word}" for key, word in wrong.items()] == []


@pytest.mark.django_db
def test_list_of_own_rows_shows_nobody_elses(practice: Practice, settings: Any) -> None:
    settings.RATELIMIT_ENABLE = False
    routes = api_routes()
    checked = 0
    for role in COLUMNS:
        lists = [key for key, words in table().items() if words[role] == "own" and f"{key}/{{pk}}" in routes]
        world = world_of(role, practice)
        for route in (routes[key] for key in lists if key.startswith("GET ")):
            detail = routes[f"{route}/{{pk}}"]
            own, other = world.row_for(detail, own=True), world.row_for(detail, own=False)
            shown = {row["id"] for row in world.answer(route).json()["results"]}
            assert (str(own.pk) in shown, str(other.pk) in shown) == (True, False), str(route)
            checked += 1
    assert checked


@pytest.mark.django_db
def test_sweep_notices_a_grant_too_many_and_one_too_few(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    routes, world = api_routes(), world_of("biller", practice)
    assert observed(world, routes["POST /locations"]) == "deny"
    monkeypatch.setitem(ROLE_ACCESS[Area.PRACTICE_SETTINGS], Role.BILLER, WRITE)
    assert observed(world, routes["POST /locations"]) == "allow"
    monkeypatch.setitem(ROLE_ACCESS, Area.APPOINTMENTS, {})
    assert observed(world, routes["GET /appointments/{pk}"]) == "deny"


def test_nothing_is_served_beside_the_api_and_the_admin_but_signed_links() -> None:
    assert other_paths() == {"/files/{token}"}
