import pickle
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, models

from practices.models import Location, Practice, Resource
from practices.tenancy import Actor, NoActivePractice, ScopeError, active_practice_id, platform_scope, practice_scope

BY = Actor.system("tests")


OPERATIONS: dict[str, Callable[[models.QuerySet[Any]], Any]] = {
    "list": list,
    "exists": lambda rows: rows.exists(),
    "count": lambda rows: rows.count(),
    "aggregate": lambda rows: rows.aggregate(n=models.Count("id")),
    "iterator": lambda rows: list(rows.iterator()),
    "in_bulk": lambda rows: rows.in_bulk(),
    "first": lambda rows: rows.first(),
    "get": lambda rows: rows.get(pk=uuid.uuid4()),
    "union": lambda rows: list(rows.union(rows)),
    "explain": lambda rows: rows.explain(),
    "values": lambda rows: list(rows.values()),
    "none": lambda rows: list(rows.filter(pk__in=[])),
    "update": lambda rows: rows.update(name="x"),
    "delete": lambda rows: rows.delete(),
    "create": lambda rows: rows.create(name="x"),
    "bulk_create": lambda rows: rows.bulk_create([Location(name="x")]),
    "select_for_update": lambda rows: list(rows.select_for_update()),
    "subquery": lambda rows: list(Practice.objects.filter(pk__in=rows.values("practice_id"))),
}


@pytest.mark.django_db
@pytest.mark.parametrize("operation", OPERATIONS)
def test_manager_without_scope_raises(operation: str) -> None:
    with pytest.raises((NoActivePractice, ScopeError)):
        OPERATIONS[operation](Location.objects.all())


def test_queryset_made_in_one_scope_asks_for_the_scope_it_runs_in(practice: Practice, other_practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        Location.objects.create(name="Here")
        written = pickle.dumps(Location.objects.all().query)
    with practice_scope(other_practice, actor=BY):
        rows = Location.objects.all()
        rows.query = pickle.loads(written)  # noqa: S301  # our own bytes, from the lines above
        assert list(rows) == []


def test_save_of_another_practices_row_raises(practice: Practice, other_practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        location = Location.objects.create(name="Here")
    with practice_scope(other_practice, actor=BY):
        with pytest.raises(ScopeError):
            location.save()
        with pytest.raises(ScopeError):
            location.delete()


def test_scope_of_a_second_practice_inside_the_first_raises(practice: Practice, other_practice: Practice) -> None:
    with practice_scope(practice, actor=BY), pytest.raises(ScopeError), practice_scope(other_practice, actor=BY):
        pass
    with practice_scope(practice, actor=BY), pytest.raises(ScopeError), platform_scope(actor=BY):
        pass


def test_scope_restores_what_was_set_before_it(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        assert active_practice_id() == practice.pk
    with pytest.raises(NoActivePractice):
        active_practice_id()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.practice_id', true), count(*) FROM practices_location")
        assert cursor.fetchone() == ("00000000-0000-0000-0000-000000000000", 0)


def test_scope_left_by_an_exception_shows_the_cause(practice: Practice) -> None:
    with pytest.raises(ProgrammingError, match="no_such_table"), practice_scope(practice, actor=BY):
        connection.cursor().execute("SELECT * FROM no_such_table")


def test_foreign_key_to_another_practices_row_is_refused(practice: Practice, other_practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        location = Location.objects.create(name="Here")
    with practice_scope(other_practice, actor=BY):
        Resource.objects.create(name="Room", kind="room", location_id=location.pk)
        with pytest.raises(IntegrityError):
            connection.check_constraints()
        connection.needs_rollback = True
