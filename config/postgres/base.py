"""Django's PostgreSQL backend with fewer round trips: a transaction is opened and closed together with other work.

Selected by `ENGINE = "config.postgres"`. Whoever opens a transaction may say what its first statements are
(`begin_with`), and what is left to do until its end may wait for it (`end_with`): each goes to the server in one
message with BEGIN or COMMIT. Nothing here outlives a transaction, so PgBouncer's transaction mode is fine with it.
"""

from collections.abc import Sequence
from select import POLLIN, poll
from typing import Any

from django.db.backends.postgresql import base
from psycopg.errors import OperationalError, error_from_result
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus

Statement = tuple[str, Sequence[Any]]


MOST_PARAMETERS = 65_535
"""That PostgreSQL takes beside a statement."""


class Cursor(base.ServerBindingCursor):
    """Writes parameters into the statement where they are too many to go beside it, as of a long `IN` or many rows."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        if params is not None and len(params) > MOST_PARAMETERS:
            composing: Any = base.Cursor(self.connection)  # type: ignore[call-arg, attr-defined]  # as below
            query, params = composing.mogrify(query, params), None
        return super().execute(query, params, **options)  # type: ignore[misc]  # the stubs leave it out


class Message(base.Cursor):
    """Sends its statements with their parameters written into them; keeps what the last one answers.

    By libpq's own call, which psycopg's way of waiting costs half as much again.
    """

    answered = False

    def execute(self, query: Any, params: Any = None, **_options: Any) -> Any:
        connection: Any = self.connection  # type: ignore[attr-defined]  # the stubs take it for another class
        text = self.mogrify(query, params)  # type: ignore[attr-defined]  # as above
        result = connection.pgconn.exec_(text.encode())
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            lost = result.error_field(DiagnosticField.SQLSTATE) is None
            raise OperationalError(result.get_error_message()) if lost else error_from_result(result)
        self._set_results([result])  # type: ignore[attr-defined]  # as above
        self.answered = result.status == ExecStatus.TUPLES_OK
        return self


class DatabaseWrapper(base.DatabaseWrapper):
    opening: Statement | None = None
    opened: tuple[Any, ...] | None = None
    closing: Statement | None = None

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if params["cursor_factory"] is base.ServerBindingCursor:
            params["cursor_factory"] = Cursor
        return params

    def begin_with(self, sql: str, params: Sequence[Any]) -> None:
        """The next outermost `atomic()` runs this right behind BEGIN; `opened` is then its last statement's row."""
        self.opening = (sql, params)

    def end_with(self, sql: str, params: Sequence[Any]) -> None:
        """Runs right before COMMIT; what it raises is raised by the `atomic()` that commits, and undoes its work.

        At once where the work may still be undone while the transaction goes on: inside a savepoint.
        """
        if (earlier := self._take_closing()) is not None:
            sql, params = f"{earlier[0]};{sql}", (*earlier[1], *params)
        if self.savepoint_ids or not self.in_atomic_block:
            self.together(sql, params)
        else:
            self.closing = (sql, params)

    def is_usable(self) -> bool:
        """Without a round trip: a server that went away has closed the socket, which makes it readable."""
        connection: Any = self.connection
        if connection is None or connection.closed:
            return False
        if connection.info.transaction_status != TransactionStatus.IDLE:
            return False
        waiting = poll()
        waiting.register(connection.fileno(), POLLIN)
        return not waiting.poll(0)

    def check_constraints(self, table_names: object = None) -> None:
        """Deferred ones, now: in one message."""
        self.together("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")

    def _start_transaction_under_autocommit(self) -> None:
        """Django's hook for backends that send BEGIN themselves; psycopg stays in autocommit mode throughout."""
        opening, self.opening, self.opened, self.closing = self.opening, None, None, None
        sql, params = opening or ("", None)
        try:
            self.opened = self.together(f"BEGIN;{sql}", params)
        except BaseException:
            self._rollback()
            raise

    def _commit(self) -> None:
        if (closing := self._take_closing()) is None:
            super()._commit()  # type: ignore[misc]  # the stubs leave it out
            return
        sql, params = closing
        self.together(f"{sql};COMMIT", params)

    def together(self, sql: str, params: Sequence[Any] | None = None) -> tuple[Any, ...] | None:
        """Several statements in one message; the last one's row. PostgreSQL takes parameters beside the text of only
        one statement, so here they are written into it, and nothing is prepared.
        """
        self.ensure_connection()
        with self.wrap_database_errors:
            message: Any = Message(self.connection)  # type: ignore[call-arg]  # the stubs take it for another class
            counted = self.queries_logged or self.execute_wrappers
            cursor = self._prepare_cursor(message) if counted else message  # type: ignore[attr-defined]  # as above
            cursor.execute(sql, params)
            row: tuple[Any, ...] | None = message.fetchone() if message.answered else None
            return row

    def _rollback(self) -> None:
        """Keeps the prepared statements: psycopg forgets them all, as they may speak of tables that are undone."""
        self.closing = None
        raw: Any = self.connection
        if raw is None or raw.info.transaction_status not in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            super()._rollback()  # type: ignore[misc]  # the stubs leave it out
        elif raw.pgconn.exec_(b"ROLLBACK").status != ExecStatus.COMMAND_OK:
            super()._rollback()  # type: ignore[misc]  # raises what is wrong

    def _take_closing(self) -> Statement | None:
        closing, self.closing = self.closing, None
        return closing
