"""The statement that chooses a page's rows gives what Django's own would, whatever a queryset does."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Lower

from config.api.rows import fetch
from practices.models import Location, Practice, Resource
from practices.serializers import LocationSerializer
from practices.tenancy import Actor, practice_scope

pytestmark = pytest.mark.django_db

SIMPLE: dict[str, Callable[[Any], Any]] = {
    "all": lambda rows: rows.order_by("name"),
    "descending": lambda rows: rows.order_by("-city", "name"),
    "limit": lambda rows: rows.order_by("name")[:2],
    "condition": lambda rows: rows.filter(Q(city="Troy") | ~Q(name="B")).order_by("pk"),
    "nothing in the list": lambda rows: rows.filter(Q(pk__in=[]) | Q(name="C")).order_by("pk"),
    "always": lambda rows: rows.filter(~Q(pk__in=[])).order_by("pk"),
    "never": lambda rows: rows.none(),
    "subquery": lambda rows: rows.filter(
        Exists(Location.objects.filter(city=OuterRef("city"), name__gt=OuterRef("name")))
    ).order_by("name"),
    "join": lambda rows: rows.filter(practice__name__contains="").order_by("-name"),
    "columns of a join": lambda rows: (
        rows.annotate(of=F("practice__name")).filter(of__contains="").order_by("of", "-name")
    ),
    "twice": lambda rows: rows.filter(resources__name__gt="").order_by("name"),
    "once": lambda rows: rows.filter(resources__name__gt="").order_by("name").distinct(),
    "once, in the order of a join": lambda rows: (
        rows.filter(resources__name__gt="").annotate(of=F("resources__location_id")).order_by("name", "of").distinct()
    ),
    "no order": lambda rows: rows.filter(name="B").order_by(),
}
OTHERS: dict[str, Callable[[Any], Any]] = {
    "its model's order": lambda rows: rows,
    "offset": lambda rows: rows.order_by("name")[1:3],
    "distinct": lambda rows: rows.order_by("city").distinct("city"),
    "expression": lambda rows: rows.order_by(Lower("city").desc(), "name"),
    "nulls": lambda rows: rows.order_by(F("city").desc(nulls_last=True), "name"),
    "annotation": lambda rows: rows.annotate(low=Lower("name")).filter(low="b").order_by("low"),
    "order of a join": lambda rows: rows.order_by("practice__name", "-name"),
    "group": lambda rows: rows.annotate(n=Count("practice")).filter(n=1).order_by("-name"),
    "union": lambda rows: rows.filter(name="C").union(rows.filter(name="A")).order_by("-name"),
}


@pytest.fixture
def rows(practice: Practice) -> Any:
    with practice_scope(practice, actor=Actor.system("tests")):
        Location.objects.all().delete()
        for name, city in (("B", "Troy"), ("A", "Rome"), ("C", "Troy"), ("D", "")):
            place = Location.objects.create(name=name, city=city)
            for number in (1, 2) if city else ():
                Resource.objects.create(name=f"{name}{number}", kind=Resource.Kind.ROOM, location=place)
        yield Location.objects.all()


@pytest.mark.parametrize("case", [*SIMPLE, *OTHERS])
def test_rows_and_their_order_are_djangos(rows: Any, case: str) -> None:
    queryset = {**SIMPLE, **OTHERS}[case](rows)
    found, beside = fetch(queryset, LocationSerializer, ("name",))
    assert [row["name"] for row in found] == [each.name for each in queryset]
    assert beside == [[row["name"]] for row in found]


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("path", ["practice__name", "of"])
def test_values_of_a_join_stand_beside_the_rows(rows: Any, path: str, distinct: bool) -> None:
    queryset = rows.annotate(of=F("practice__name")).order_by("-name", "id")
    queryset = queryset.distinct() if distinct else queryset
    found, beside = fetch(queryset, LocationSerializer, ("name", "id", path))
    beside = [[name, of] for name, _, of in beside]
    assert beside == [[each.name, each.of] for each in queryset]
    assert [row["name"] for row in found] == [name for name, _ in beside] == ["D", "C", "B", "A"]
