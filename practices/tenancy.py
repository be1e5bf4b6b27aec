"""The active practice: who opens a scope, what it sets in PostgreSQL, and the first wall that reads it.

A scope is one transaction. Inside it the connection carries `app.practice_id`, `app.user_id` and `app.request_id`
(transaction-local), which the row policies compare with, and a ContextVar carries the same for Python.
Only this module opens a scope.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import connections, models, transaction
from django.db.models.expressions import Expression

from config.postgres.base import Statement

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

    from practices.models import Practice

_ModelT = TypeVar("_ModelT", bound=models.Model)

NO_CONTEXT = UUID(settings.NO_CONTEXT)


class NoActivePractice(RuntimeError):
    """A tenant's rows were asked for while no practice is active."""

    def __init__(self) -> None:
        super().__init__("No practice is active: open practice_scope(practice, actor=...) around this.")


class ScopeError(RuntimeError):
    """A scope was opened where it can't hold, such as for a second practice inside the first one's transaction."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a user, a part of the system (a job, a command), or nobody yet (`anonymous`)."""

    kind: Literal["user", "system", "anonymous"]
    id: UUID | None = None
    label: str = ""
    roles: tuple[str, ...] = ()

    @classmethod
    def system(cls, label: str) -> "Actor":
        """A job or command, named by `label` (`worker`, `seed`); it may do whatever its code does."""
        return cls(kind="system", label=label)

    @classmethod
    def user(cls, user_id: UUID, roles: tuple[str, ...] = (), label: str = "") -> "Actor":
        return cls(kind="user", id=user_id, roles=roles, label=label)


ANONYMOUS = Actor(kind="anonymous")


@dataclass(slots=True)
class Scope:
    """What is known about the work under way. `practice_id` is None in a platform or identity scope.

    `actor` may be replaced once, by authentication, when the roles become known.
    """

    practice_id: UUID | None
    actor: Actor
    request_id: str = ""
    ip: str | None = None
    using: str = "default"
    operation: str = ""
    """Method and route name of the request (`PATCH patient-detail`), known once it was routed; no ids."""
    depth: int = 0
    """Savepoints open on the connection since before the scope: their rollback is not the scope's business."""
    before_commit: list[Callable[["Scope"], None]] = field(default_factory=list)
    """Called inside the scope when it is left cleanly; what they raise undoes the scope's work."""
    opened: tuple[Any, ...] | None = None
    """The row of the statement that the scope was opened with, if it was given one and that found a row."""
    remembered: dict[object, Any] = field(default_factory=dict)
    """What was asked already and can't change for this scope's actor."""


_scope: ContextVar[Scope | None] = ContextVar("practice_scope", default=None)


def current_scope() -> Scope | None:
    return _scope.get()


def active_practice_id() -> UUID:
    """The active practice's id; raises NoActivePractice."""
    scope = _scope.get()
    if scope is None or scope.practice_id is None:
        raise NoActivePractice
    return scope.practice_id


def current_actor() -> Actor:
    """Who acts in the active scope; raises NoActivePractice outside one."""
    scope = _scope.get()
    if scope is None:
        raise NoActivePractice
    return scope.actor


@contextmanager
def practice_scope(
    practice: "Practice | UUID",
    *,
    actor: Actor,
    request_id: str = "",
    ip: str | None = None,
    using: str = "default",
    ask: Statement | None = None,
) -> Iterator[Scope]:
    """One transaction in which only this practice's rows exist. Raises ScopeError inside another practice's scope.

    `ask` is asked in the round trip that opens the scope; its row is then `scope.opened`.
    """
    practice_id = practice if isinstance(practice, UUID) else practice.pk
    outer = _scope.get()
    if outer is not None and outer.practice_id not in (None, practice_id):
        raise ScopeError("Another practice's scope is open; leave it first: a transaction belongs to one practice.")
    with _open(Scope(practice_id, actor, request_id, ip, using), platform=False, ask=ask) as scope:
        yield scope


@contextmanager
def identity_scope(user_id: UUID, *, request_id: str = "", ip: str | None = None) -> Iterator[Scope]:
    """One transaction in which a user sees their own memberships and sessions and the practices they lead to.

    For the moments before a practice is chosen; tenant managers still raise, see `own_rows`.
    """
    _refuse_inside_practice()
    scope = Scope(None, Actor.user(user_id), request_id, ip)
    with _open(scope, platform=False) as opened:
        yield opened


@contextmanager
def platform_scope(
    *, actor: Actor, request_id: str = "", ip: str | None = None, using: str = "default"
) -> Iterator[Scope]:
    """One transaction that manages practices and users as such; it sees no row of any tenant table."""
    _refuse_inside_practice()
    with _open(Scope(None, actor, request_id, ip, using), platform=True) as scope:
        yield scope


def own_rows(model: type[_ModelT]) -> "models.QuerySet[_ModelT]":
    """The model's rows without the first wall: only what its row policies show to the scope's user or practice."""
    return models.QuerySet(model)


def _refuse_inside_practice() -> None:
    outer = _scope.get()
    if outer is not None and outer.practice_id is not None:
        raise ScopeError("A practice's scope is open; leave it first.")


@contextmanager
def _open(scope: Scope, *, platform: bool, ask: Statement | None = None) -> Iterator[Scope]:
    connection: Any = connections[scope.using]
    nested = connection.in_atomic_block
    opening = _with_settings(_settings_of(scope, platform=platform), ask)
    with _atomic(connection, None if nested else opening):
        scope.depth = len(connection.savepoint_ids)
        previous = _read_settings(connection) if nested else None
        row = connection.together(*opening) if nested else connection.opened
        scope.opened = row if ask is not None else None
        token = _scope.set(scope)
        try:
            yield scope
            if not connection.needs_rollback:
                for callback in scope.before_commit:
                    callback(scope)
        finally:
            _scope.reset(token)
        # Left by an exception, the rollback restores them; a released savepoint would keep ours.
        if previous is not None and not connection.needs_rollback:
            connection.together(*_with_settings(previous))


@contextmanager
def _atomic(connection: Any, opening: Statement | None) -> Iterator[None]:
    """A transaction opened with this statement, or a savepoint of the present one."""
    if opening is not None:
        connection.begin_with(*opening)
    try:
        with transaction.atomic(using=connection.alias):
            yield
    finally:
        connection.opening = None  # of a transaction that couldn't begin: the next one is somebody else's


_Settings = tuple[str, str, str, str]


def _settings_of(scope: Scope, *, platform: bool) -> _Settings:
    return (
        str(scope.practice_id or NO_CONTEXT),
        str(scope.actor.id or NO_CONTEXT),
        scope.request_id,
        "on" if platform else "",
    )


def _with_settings(values: _Settings, ask: Statement | None = None) -> Statement:
    """What sets these in the transaction, and then asks."""
    sql, params = ask or ("", ())
    return (
        "SELECT set_config('app.practice_id', %s, true), set_config('app.user_id', %s, true),"
        f" set_config('app.request_id', %s, true), set_config('app.platform', %s, true);{sql}",
        (*values, *params),
    )


def _read_settings(connection: "BaseDatabaseWrapper") -> _Settings:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('app.practice_id', true), current_setting('app.user_id', true),"
            " coalesce(current_setting('app.request_id', true), ''),"
            " coalesce(current_setting('app.platform', true), '')"
        )
        row: _Settings = cursor.fetchone()
        return row


class ActivePractice(Expression):
    """The active practice's id, read when the SQL is compiled: a queryset asks for the scope it runs in."""

    output_field = models.UUIDField()

    def as_sql(self, compiler: "SQLCompiler", connection: "BaseDatabaseWrapper") -> tuple[str, Any]:
        return "%s", [active_practice_id()]
