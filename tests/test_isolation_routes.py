"""Another practice's ids, put wherever the API takes an id, get the very answer that an id nobody has gets.

Operations, their parameters and their bodies' fields come from the schema, so a new route is covered as it appears.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator

from accounts.models import Membership
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_of
from tests.rows import SETUP, make_row, tenant_models

METHODS = ("get", "post", "patch", "delete")
PARTS = 3
"""Of the longest sweep, so that all workers share it."""
ALL_ROLES = ["owner", "admin", "provider", "assistant", "front_desk", "biller", "auditor"]


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    spec: Any

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    def names(self, place: str) -> list[str]:
        """The id-typed parameters in `path` or `query`."""
        return [
            each["name"]
            for each in self.spec.get("parameters", ())
            if each["in"] == place and (place == "path" or _holds_ids(each["schema"]))
        ]

    def body_fields(self) -> dict[str, Any]:
        content = self.spec.get("requestBody", {}).get("content", {}).get("application/json", {})
        return dict(_resolved(content.get("schema", {})).get("properties", {}))


@cache
def schema() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


def operations() -> list[Operation]:
    return [
        Operation(method, path, item[method])
        for path, item in schema()["paths"].items()
        for method in METHODS
        if method in item and path.startswith("/api/")
    ]


def _resolved(spec: Any) -> Any:
    while "$ref" in spec:
        spec = schema()["components"]["schemas"][spec["$ref"].rpartition("/")[2]]
    return spec


def _holds_ids(spec: Any) -> bool:
    spec = _resolved(spec)
    if any(_holds_ids(part) for part in (*spec.get("oneOf", ()), *spec.get("anyOf", ()), *spec.get("allOf", ()))):
        return True
    return spec.get("format") == "uuid" or (spec.get("type") == "array" and _holds_ids(spec.get("items", {})))


def _is_list(spec: Any) -> bool:
    return bool(_resolved(spec).get("type") == "array")


PATHS = [op for op in operations() if op.names("path")]
QUERIES = [(op, name) for op in operations() for name in op.names("query")]
FIELDS = [(op, name) for op in operations() for name, spec in op.body_fields().items() if _holds_ids(spec)]


@dataclass
class World:
    client: MemberClient
    ours: dict[str, Any]
    theirs: dict[str, uuid.UUID]


@pytest.fixture
def world(practice: Practice, other_practice: Practice, settings: Any) -> World:
    """A member with every role, one row of every model in either practice."""
    settings.RATELIMIT_ENABLE = False
    with practice_scope(other_practice, actor=SETUP):
        theirs = {model._meta.label: make_row(model).pk for model in tenant_models()}
    with practice_scope(practice, actor=SETUP):
        ours = {model._meta.label: make_row(model) for model in tenant_models()}
        member = make_row(Membership, roles=ALL_ROLES).user
    return World(client_of(member, practice), ours, theirs)


def ask(world: World, operation: Operation, path: str, body: Any = None, query: Any = None) -> tuple[int, Any]:
    method = getattr(world.client, operation.method)
    response = method(path, query) if operation.method == "get" else method(path, body if body is not None else {})
    shown = response.json() if response.get("Content-Type", "").endswith(("/json", "+json")) else response.content
    if isinstance(shown, dict):
        shown = {name: value for name, value in shown.items() if name not in {"request_id", "instance"}}
    return response.status_code, shown


def path_of(world: World, operation: Operation, **ids: Any) -> str:
    """The operation's path, with our own rows' ids where `ids` names none."""
    own = {name: world.ours[model_of(operation, name)._meta.label].pk for name in operation.names("path")}
    return operation.path.format(**{**own, **ids})


def model_of(operation: Operation, name: str) -> Any:
    """What the parameter of the operation's path is the id of."""
    if name not in {"id", "pk"}:
        return next(model for model in tenant_models() if model._meta.model_name == _bare(name))
    blank = operation.path.format(**dict.fromkeys(operation.names("path"), uuid.UUID(int=0)))
    view = resolve(blank).func.cls  # type: ignore[attr-defined]  # set by REST framework's as_view
    return view.queryset.model


def _bare(name: str) -> str:
    return name.removesuffix("_id").removesuffix("_pk").replace("_", "")


@pytest.mark.parametrize("method", METHODS)
def test_foreign_id_in_a_path_is_not_found(method: str, world: World) -> None:
    leaks = []
    for operation in (each for each in PATHS if each.method == method):
        for name in operation.names("path"):
            unknown = ask(world, operation, path_of(world, operation, **{name: uuid.uuid4()}))
            assert unknown[0] == 404, str(operation)
            leaks += [
                (str(operation), name, label)
                for label, key in world.theirs.items()
                if ask(world, operation, path_of(world, operation, **{name: key})) != unknown
            ]
    assert leaks == []


@pytest.mark.parametrize("part", range(PARTS))
def test_foreign_id_in_a_query_reads_like_an_unknown_one(part: int, world: World) -> None:
    leaks = []
    for operation, name in QUERIES[part::PARTS]:
        path = path_of(world, operation)
        unknown = ask(world, operation, path, query={name: str(uuid.uuid4())})
        leaks += [
            (str(operation), name, label)
            for label, key in world.theirs.items()
            if ask(world, operation, path, query={name: str(key)}) != unknown
        ]
    assert leaks == []


def test_foreign_id_in_a_body_reads_like_an_unknown_one(world: World) -> None:
    leaks = []
    for operation, name in FIELDS:
        path = path_of(world, operation)
        several = _is_list(operation.body_fields()[name])
        unknown = ask(world, operation, path, {name: _wrapped(uuid.uuid4(), several=several)})
        assert 400 <= unknown[0] < 500, str(operation)
        leaks += [
            (str(operation), name, label)
            for label, key in world.theirs.items()
            if ask(world, operation, path, {name: _wrapped(key, several=several)}) != unknown
        ]
    assert leaks == []


def _wrapped(key: uuid.UUID, *, several: bool) -> Any:
    return [str(key)] if several else str(key)


def test_sweep_is_not_empty() -> None:
    assert len(PATHS) > 20
    assert len(QUERIES) > 5
    assert len(FIELDS) > 10
