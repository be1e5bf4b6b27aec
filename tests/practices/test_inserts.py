from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext

from accounts.models import Membership
from practices.inserts import insert
from practices.models import CancellationReason, Location, Practice
from practices.tenancy import ScopeError


def test_rows_of_several_models_are_one_statement_and_are_announced(in_practice: Practice) -> None:
    heard: list[tuple[Any, bool]] = []

    def hear(sender: object, instance: Any, created: bool, **kwargs: Any) -> None:
        heard.append((instance, created))

    main = Location(name="Main")
    rows = [main, CancellationReason(code="x-1", name="X", by="patient"), Location(name="Annex")]
    post_save.connect(hear)
    try:
        with CaptureQueriesContext(connection) as queries:
            insert(rows)
    finally:
        post_save.disconnect(hear)
    assert len(queries) == 1
    assert heard == [(row, True) for row in rows]
    for row in rows:
        stored = type(row).objects.get(pk=row.pk)
        assert row.loaded_values == stored.loaded_values
        assert not row._state.adding
    main.name = "Main Street"
    main.save()
    assert Location.objects.get(pk=main.pk).version == 2


def test_one_that_fails_leaves_none(in_practice: Practice) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        insert([Location(name="Main"), Location(name="Main")])
    assert not Location.objects.filter(name="Main").exists()


def test_another_practices_row_is_refused(in_practice: Practice) -> None:
    row = Location(name="Main", practice_id=Practice().pk)
    with pytest.raises(ScopeError):
        insert([row])


def test_column_that_needs_more_than_its_value_is_refused(in_practice: Practice) -> None:
    with pytest.raises(TypeError):
        insert([Membership(roles=["owner"])])
