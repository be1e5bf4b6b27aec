"""The database backend: what it sends, and what it does when the server is gone."""

from collections.abc import Callable

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from practices.models import CancellationReason, Location, Practice, new_id
from practices.tenancy import Actor, practice_scope

BY = Actor.system("tests")

pytestmark = pytest.mark.django_db(transaction=True)


def statements_of(work: Callable[[], None]) -> list[str]:
    """Each message that was sent, in order."""
    with CaptureQueriesContext(connection) as queries:
        work()
    return [each["sql"] for each in queries if each["sql"] != "COMMIT"]


def test_scope_opens_in_one_message_and_says_what_it_asked(practice: Practice) -> None:
    found = []

    def work() -> None:
        with practice_scope(practice, actor=BY, ask=("SELECT current_setting('app.practice_id')", ())) as scope:
            found.append(scope.opened)

    messages = statements_of(work)
    assert found == [(str(practice.pk),)]
    assert len(messages) == 1
    assert messages[0].startswith("BEGIN;SELECT set_config(")


def test_question_without_an_answer_opens_the_scope_all_the_same(practice: Practice) -> None:
    with practice_scope(practice, actor=BY, ask=("SELECT 1 WHERE false", ())) as scope:
        assert scope.opened is None
        assert Location.objects.count() == 0


def test_answer_is_the_scopes_own(practice: Practice) -> None:
    one, two = ("SELECT 1", ()), ("SELECT 2", ())
    with practice_scope(practice, actor=BY, ask=one) as outer, practice_scope(practice, actor=BY, ask=two) as inner:
        assert (outer.opened, inner.opened) == ((1,), (2,))
    with practice_scope(practice, actor=BY) as later:
        assert later.opened is None


def test_question_that_fails_leaves_no_transaction_behind(practice: Practice) -> None:
    with pytest.raises(DatabaseError), practice_scope(practice, actor=BY, ask=("SELECT 1/0", ())):
        pass
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.practice_id')")
        assert cursor.fetchone() == ("00000000-0000-0000-0000-000000000000",)


def test_work_left_for_the_end_is_committed_along_with_the_rest(practice: Practice) -> None:
    insert = "INSERT INTO practices_cancellationreason"
    columns = "(id, practice_id, created_at, updated_at, version, code, name, by, active)"
    values = f"{columns} SELECT gen_random_uuid(), '{practice.pk}', now(), now(), 1, %s, 'x', 'patient', true"
    with practice_scope(practice, actor=BY):
        connection.end_with(f"{insert} {values}", ["first"])  # type: ignore[attr-defined]  # our backend's
        connection.end_with(f"{insert} {values}", ["second"])  # type: ignore[attr-defined]  # our backend's
    assert codes(practice) == ["first", "second"]


def test_work_left_for_the_end_is_forgotten_with_the_rest(practice: Practice) -> None:
    with pytest.raises(LookupError), practice_scope(practice, actor=BY):
        connection.end_with("SELECT 1/0", [])  # type: ignore[attr-defined]  # our backend's
        raise LookupError
    with practice_scope(practice, actor=BY):
        pass


def test_failing_end_undoes_the_work(practice: Practice) -> None:
    with pytest.raises(DatabaseError), practice_scope(practice, actor=BY):
        Location.objects.create(name="Main")
        connection.end_with("SELECT 1/0", [])  # type: ignore[attr-defined]  # our backend's
    with practice_scope(practice, actor=BY):
        assert Location.objects.count() == 0


def test_end_that_finds_the_server_gone_says_so_and_the_next_scope_has_another(practice: Practice) -> None:
    with pytest.raises(OperationalError), practice_scope(practice, actor=BY), connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (before,) = cursor.fetchone()
        terminate(before)
        connection.end_with("SELECT %s", ["x"])  # type: ignore[attr-defined]  # our backend's
    with practice_scope(practice, actor=BY):
        connection.end_with("SELECT %s", ["x"])  # type: ignore[attr-defined]  # our backend's
        assert Location.objects.count() == 0


def test_inside_a_savepoint_the_end_is_now(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        with pytest.raises(DatabaseError), transaction.atomic():
            connection.end_with("SELECT 1/0", [])  # type: ignore[attr-defined]  # our backend's
        assert Location.objects.count() == 0


def test_connection_that_the_server_closed_is_replaced(practice: Practice) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (before,) = cursor.fetchone()
    terminate(before)
    connection.close_if_unusable_or_obsolete()
    with practice_scope(practice, actor=BY), connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() != (before,)


def test_transaction_that_could_not_begin_leaves_nothing_to_the_next(practice: Practice) -> None:
    right = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = 1
    with pytest.raises(OperationalError), practice_scope(practice, actor=BY):
        pass
    connection.settings_dict["PORT"] = right
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.practice_id')")
        assert cursor.fetchone() == (settings.NO_CONTEXT,)


def prepared(times: int, *, name: str = "x") -> int:
    """How many statements the server keeps, after asking one so often."""
    for _ in range(times):
        Location.objects.filter(name=name).count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%practices_location%%'")
        (count,) = cursor.fetchone()
    assert isinstance(count, int)
    return count


def test_statement_that_comes_again_is_prepared_and_outlives_a_rollback(practice: Practice) -> None:
    connection.close()
    with practice_scope(practice, actor=BY):
        assert prepared(3) == 0
        assert prepared(1, name="y") == 1
    with pytest.raises(LookupError), practice_scope(practice, actor=BY):
        raise LookupError
    with practice_scope(practice, actor=BY):
        assert prepared(1) == 1


def test_prepared_statement_answers_for_the_scope_it_is_asked_in(practice: Practice, other_practice: Practice) -> None:
    """The row policies are part of its plan, the practice isn't."""
    for each in (practice, other_practice):
        with practice_scope(each, actor=BY):
            Location.objects.create(name=each.name)
    for each in (practice, other_practice) * 6:
        with practice_scope(each, actor=BY), connection.cursor() as cursor:
            cursor.execute("SELECT name FROM practices_location WHERE name <> %s", ["none"])
            assert cursor.fetchall() == [(each.name,)]


def test_more_parameters_than_postgresql_takes_are_written_into_the_statement(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        main = Location.objects.create(name="100 %")
        others = [new_id() for _ in range(66_000)]
        assert list(Location.objects.filter(pk__in=[*others, main.pk], name__contains="%")) == [main]


def test_rollback_that_finds_the_connection_lost_is_one_all_the_same(practice: Practice) -> None:
    with practice_scope(practice, actor=BY):
        Location.objects.create(name="Main")
        terminate(connection.connection.info.backend_pid)
        transaction.set_rollback(True)
    with practice_scope(practice, actor=BY):
        assert Location.objects.count() == 0


def terminate(pid: int) -> None:
    """Over a connection of its own, as the same login."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_terminate_backend(%s, 2000)", [pid])


def test_lost_connection_in_a_transaction_is_an_operational_error(practice: Practice) -> None:
    with pytest.raises(OperationalError), practice_scope(practice, actor=BY), connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        terminate(cursor.fetchone()[0])
        cursor.execute("SELECT 1")
    with practice_scope(practice, actor=BY):
        assert Location.objects.count() == 0


def codes(practice: Practice) -> list[str]:
    with practice_scope(practice, actor=BY):
        return sorted(CancellationReason.objects.values_list("code", flat=True))
