"""Django's PostgreSQL backend with fewer round trips: a transaction is opened and closed together with other work.

Selected by `ENGINE = "config.postgres"`. Whoever opens a transaction may say what its first statements are
(`begin_with`), and what is left to do until its end may wait for it (`end_with`): each goes to the server in one
message with BEGIN or COMMIT. Nothing here outlives a transaction, so PgBouncer's transaction mode is fine with it.
"""

from collections.abc import Sequence
from select import POLLIN, poll
from typing import Any

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

Statement = tuple[str, Sequence[Any]]


class DatabaseWrapper(base.DatabaseWrapper):
    opening: Statement | None = None
    opened: tuple[Any, ...] | None = None
    closing: Statement | None = None

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
            self._run((sql, params))
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
        self._run(("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED", ()))

    def _start_transaction_under_autocommit(self) -> None:
        """Django's hook for backends that send BEGIN themselves; psycopg stays in autocommit mode throughout."""
        opening, self.opening, self.opened, self.closing = self.opening, None, None, None
        sql, params = opening or ("", None)
        try:
            with self.cursor() as cursor:
                cursor.execute(f"BEGIN;{sql}", params)
                if opening is not None:
                    self.opened = last_row(cursor)
        except BaseException:
            self._rollback()
            raise

    def _commit(self) -> None:
        if (closing := self._take_closing()) is None:
            super()._commit()  # type: ignore[misc]  # the stubs leave it out
            return
        sql, params = closing
        self._run((f"{sql};COMMIT", params))

    def _run(self, statement: Statement) -> None:
        with self.cursor() as cursor:
            cursor.execute(*statement)

    def _rollback(self) -> None:
        self.closing = None
        super()._rollback()  # type: ignore[misc]  # the stubs leave it out

    def _take_closing(self) -> Statement | None:
        closing, self.closing = self.closing, None
        return closing


def last_row(cursor: Any) -> tuple[Any, ...] | None:
    """Of the last of several statements; None when it gave none."""
    cursor.set_result(-1)
    row: tuple[Any, ...] | None = cursor.fetchone() if cursor.description else None
    return row
