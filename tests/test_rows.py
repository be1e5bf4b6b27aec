"""Every list and object that the API shows, found by itself: PostgreSQL renders what the serializer would have made,
in a number of statements that no number of rows changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse
from django.urls.resolvers import URLPattern, URLResolver
from rest_framework import serializers

from accounts.models import Membership
from audit.views import AccessLogViewSet
from config.api.fields import InstantField
from config.api.rendering import dumps
from config.api.rows import NotRenderable, RowField, fetch, projection, renderable
from config.api.serializers import StrictModelSerializer
from config.api.views import GenericViewSet
from integrations.models import EventLog, MessageTemplate
from patients.models import Patient
from patients.views.parts import PatientPartMixin
from practices.models import Location, Practice, Resource, TenantModel
from practices.tenancy import practice_scope
from tests.clients import MemberClient, client_of
from tests.rows import SETUP, make_row, own_models

ALL_ROLES = ["owner", "admin", "provider", "assistant", "front_desk", "biller", "auditor"]
MADE_BY_CODE = {
    "SessionViewSet",  # which of the logins the request was made with
}
READ_BUDGET = 3
"""Opening the scope with the identity, the rows, the audit event (outside tests it goes along with COMMIT)."""
OVER_BUDGET = 1
"""Where rows hang on a patient, who has to be visible first."""


def viewsets() -> list[Any]:
    found = {getattr(pattern.callback, "cls", None) for pattern in _patterns(get_resolver())}
    shown = [each for each in found if isinstance(each, type) and issubclass(each, GenericViewSet)]
    return sorted((each for each in shown if _serializer(each)), key=lambda each: each.__name__)


def _patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from _patterns(each)
        else:
            yield each


def _serializer(viewset: Any) -> Any:
    return viewset.read_serializer_class or viewset.serializer_class


VIEWSETS = viewsets()
RENDERED = [each for each in VIEWSETS if each.__name__ not in MADE_BY_CODE]
LISTS = [each for each in RENDERED if hasattr(each, "list") and each.queryset.model is not MessageTemplate]
"""Templates are one a kind and channel: there can't be thirty."""


def test_only_named_viewsets_are_rendered_by_code() -> None:
    assert {each.__name__ for each in VIEWSETS if not renderable(_serializer(each))} == MADE_BY_CODE


@pytest.mark.parametrize("viewset", RENDERED, ids=lambda each: each.__name__)
def test_postgresql_renders_what_the_serializer_does(viewset: Any, in_practice: Practice) -> None:
    model = viewset.queryset.model
    rows = [in_practice] if model is Practice else [make_row(model, **_filled(model))]
    stored = model._default_manager.filter(pk__in=[row.pk for row in rows])
    by_code = _serializer(viewset)(list(stored), many=True).data
    rendered, _ = fetch(stored, _serializer(viewset))
    assert rendered == _as_json(by_code)
    assert [list(row) for row in rendered] == [list(row) for row in by_code]  # in the same order, too


def _filled(model: Any) -> dict[str, Any]:
    """What the sweeps' rows leave empty: every key, and notes, which are shown in a form of their own."""
    keys = [] if model is Resource else [each for each in model._meta.concrete_fields if _is_open_key(model, each)]
    filled = {each.name: make_row(each.related_model) for each in keys}
    if "series" in filled:
        filled["series_index"] = 0
    return {**filled, **({"notes": "Bring the x-ray: \u201cleft\u201d"} if _has(model, "notes") else {})}


def _is_open_key(model: Any, each: Any) -> bool:
    return (
        each.is_relation and each.null and issubclass(each.related_model, TenantModel) and each.related_model != model
    )


def _has(model: Any, name: str) -> bool:
    return any(each.name == name for each in model._meta.concrete_fields)


def _as_json(data: Any) -> Any:
    return orjson.loads(dumps(data))


@pytest.fixture
def reader(practice: Practice, settings: Any) -> MemberClient:
    settings.RATELIMIT_ENABLE = False
    with practice_scope(practice, actor=SETUP):
        member = make_row(Membership, roles=ALL_ROLES).user
    return client_of(member, practice)


@pytest.mark.parametrize("viewset", LISTS, ids=lambda each: each.__name__)
def test_list_costs_the_same_for_one_row_and_thirty(viewset: Any, practice: Practice, reader: MemberClient) -> None:
    url, parent = _list_url(viewset, practice)
    costs = []
    for count in (1, 29):
        with practice_scope(practice, actor=SETUP):
            for number in range(count):
                make_row(viewset.queryset.model, **parent, **_distinct(viewset.queryset.model, count + number))
        reader.get(url)  # keys and classes are made once a process
        with CaptureQueriesContext(connection) as queries:
            assert reader.get(url).status_code == 200
        costs.append(len([each for each in queries if "SAVEPOINT" not in each["sql"]]))
    allowed = READ_BUDGET + (OVER_BUDGET if issubclass(viewset, PatientPartMixin | AccessLogViewSet) else 0)
    assert costs[0] == costs[1] <= allowed + IN_TESTS


IN_TESTS = 2
"""A scope inside the test's own transaction reads the settings before it and writes them back after it."""


def _distinct(model: Any, number: int) -> dict[str, Any]:
    """Where unique columns leave the sweeps' rows no choice."""
    if model is EventLog:
        return {"seq": 1_000_000 + number}
    return {}


def _list_url(viewset: Any, practice: Practice) -> tuple[str, dict[str, Any]]:
    """The list's address, and what its rows hang on."""
    pattern = next(
        each
        for each in _patterns(get_resolver())
        if getattr(each.callback, "cls", None) is viewset and "list" in getattr(each.callback, "actions", {}).values()
    )
    with practice_scope(practice, actor=SETUP):
        parents = {
            name.removesuffix("_id"): make_row(_related(viewset.queryset.model, name.removesuffix("_id")))
            for name in pattern.pattern.regex.groupindex
        }
    ids = {f"{name}_id": row.pk for name, row in parents.items()}
    return reverse(str(pattern.name), kwargs=ids), {
        name: row for name, row in parents.items() if _has(viewset.queryset.model, name)
    }


def _related(model: Any, name: str) -> Any:
    """Events name patients without a key."""
    return model._meta.get_field(name).related_model if _has(model, name) else Patient


def test_sweep_is_not_empty() -> None:
    assert len(LISTS) > 12
    assert {each.queryset.model for each in LISTS} <= set(own_models())


class _Shouting(StrictModelSerializer[Location]):
    name = serializers.SerializerMethodField()

    class Meta:
        model = Location
        fields = ("id", "name")

    def get_name(self, location: Location) -> str:
        return location.name.upper()


class _Told(RowField):
    row_columns = {"name": "name"}

    def from_row(self, **values: Any) -> str:
        return f"{values['name']}!"


class _Telling(StrictModelSerializer[Location]):
    name = _Told()

    class Meta:
        model = Location
        fields = ("id", "name")


def test_field_made_by_code_is_not_rendered() -> None:
    with pytest.raises(NotRenderable, match="name of _Shouting"):
        projection(_Shouting)


def test_row_field_is_finished_in_python(in_practice: Practice) -> None:
    location = make_row(Location, name="Main")
    shown, beside = fetch(Location.objects.filter(pk=location.pk), _Telling, ["name", "created_at"])
    assert shown == [{"id": str(location.pk), "name": "Main!"}]
    assert beside[0][0] == "Main"
    assert _Telling(location).data["name"] == "Main!"


def test_nothing_is_asked_for_an_empty_queryset(in_practice: Practice) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert fetch(Location.objects.none(), _Telling) == ([], [])
    assert len(queries) == 0


def test_every_serializer_writes_instants_in_the_one_form() -> None:
    """Whichever code renders them: an instant with a zero at its end must not look different the next time."""
    plain = [
        f"{each.__name__}.{name}"
        for each in _ours(serializers.Serializer)
        for name, field in each._declared_fields.items()
        if isinstance(field, serializers.DateTimeField) and not isinstance(field, InstantField)
    ]
    assert plain == []


def _ours(base: Any) -> Iterator[Any]:
    for each in base.__subclasses__():
        if not each.__module__.startswith(("rest_framework", "drf_spectacular")):
            yield each
        yield from _ours(each)
