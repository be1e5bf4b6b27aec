"""Which fields of an object a role is shown is what `field_matrix.txt` says, both ways.

Every object is read as every role, once of an ordinary patient and once of a restricted one. A field that some reader
isn't shown, or that says that it may be absent, fails the suite until it has a line in the table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework import serializers

from accounts.roles import Role
from config.api.schema import may_be_absent
from patients.models import Patient
from practices.models import Practice
from practices.tenancy import practice_scope
from tests.routes import Route, api_routes
from tests.rows import SETUP
from tests.test_role_matrix import World, world_of

TABLE = Path(__file__).with_name("field_matrix.txt")
WORDS = ("write", "read", "absent", "-")
STATES = ("ordinary", "restricted")
Line = tuple[str, str, str]


def table() -> dict[Line, list[str]]:
    """(path, state, field) -> a word for each role."""
    lines = [line.split() for line in TABLE.read_text().splitlines() if line.strip() and not line.startswith("#")]
    assert all(len(line) == 3 + len(Role.values) for line in lines), "each line: path, patient, field, a word each"
    assert {word for line in lines for word in line[3:]} <= set(WORDS)
    return {(path, state, field): words for path, state, field, *words in lines}


def objects() -> list[Route]:
    return [each for each in api_routes().values() if each.method == "GET" and each.path.endswith("{pk}")]


def fields_of(shown: Any, prefix: str = "") -> Iterator[str]:
    """`status`, `patient`, `patient.mrn`: free-form objects, whose keys are data, aside."""
    for name, value in shown.items():
        yield prefix + name
        if isinstance(value, dict) and name != "changes":
            yield from fields_of(value, f"{prefix}{name}.")


def observed(practice: Practice) -> dict[Line, list[str]]:
    rows: dict[tuple[object, ...], Any] = {}
    worlds = [world_of(role, practice, rows) for role in Role.values]
    routes = objects()
    for world in worlds:
        for route in routes:
            world.row_for(route, own=False)
    found = _lines(worlds, routes, "ordinary")
    with practice_scope(practice, actor=SETUP):
        Patient.objects.update(restricted=True)
    return {**found, **_lines(worlds, routes, "restricted")}


def _lines(worlds: list[World], routes: list[Route], state: str) -> dict[Line, list[str]]:
    found, writers = {}, api_routes()
    for route in routes:
        shown = [_shown(world, route) for world in worlds]
        readers = [each for each in shown if each is not None]
        if not readers:
            continue
        governed = may_be_absent(_serializer(route)())
        differing = set().union(*readers) - set[str].intersection(*readers)
        for field in differing | governed:
            patch = writers.get(f"PATCH {route.path}") if field in governed else None
            found[route.path, state, field] = [
                _word(world, field, fields, patch) for world, fields in zip(worlds, shown, strict=True)
            ]
    return found


def _shown(world: World, route: Route) -> set[str] | None:
    response = world.answer(route, world.row_for(route, own=False))
    assert response.status_code in (200, 403, 404), (str(route), response.content)
    return set(fields_of(response.json())) if response.status_code == 200 else None


def _word(world: World, field: str, shown: set[str] | None, patch: Route | None) -> str:
    if shown is None:
        return "-"
    may_write = patch is not None and _writes(world, patch, field)
    if field not in shown:
        return "written" if may_write else "absent"
    return "write" if may_write else "read"


def _writes(world: World, patch: Route, field: str) -> bool:
    row = world.row_for(patch, own=False)
    return bool(world.client.patch(patch.url(pk=row.pk), {field: "x"}).status_code == 200)


def _serializer(route: Route) -> Any:
    return getattr(route.view, "read_serializer_class", None) or route.view.serializer_class


@pytest.mark.django_db
def test_every_role_is_shown_the_fields_that_the_table_says(practice: Practice, settings: Any) -> None:
    settings.RATELIMIT_ENABLE = False
    found, expected = observed(practice), table()
    wrong = [_text(line, words) for line, words in found.items() if expected.get(line) != words]
    gone = [_text(line, words) for line, words in expected.items() if line not in found]
    assert (wrong, gone) == ([], []), "\n".join([f"In fact, other than in {TABLE.name}:", *wrong, "Not so:", *gone])


def _text(line: Line, words: list[str]) -> str:
    path, state, field = line
    return f"{path:<30}{state:<12}{field:<22}" + "".join(f"{word:<11}" for word in words).rstrip()


def test_every_field_that_may_be_absent_is_in_the_table() -> None:
    """Of any serializer, those of views that show no single object too."""
    listed = {field.rpartition(".")[2] for _, _, field in table()}
    governed: dict[str, set[str]] = defaultdict(set)
    for each in _all(serializers.Serializer):
        for name in getattr(each, "may_be_absent", ()):
            governed[name].add(each.__name__)
        for name, field in each._declared_fields.items():
            if getattr(field, "may_be_absent", False):
                governed[name].add(each.__name__)
    assert {name: where for name, where in governed.items() if name not in listed} == {}
    assert listed <= governed.keys(), "and no field is left out that doesn't say so in the contract"


def _all(base: Any) -> Iterator[Any]:
    for each in base.__subclasses__():
        yield each
        yield from _all(each)
