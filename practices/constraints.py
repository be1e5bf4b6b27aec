"""The second and third wall as Django constraints, so that `makemigrations` sees, adds and removes them.

Both write SQL that needs other tables' constraints to exist, so it is deferred to the migration's end.
Neither validates in Python: the walls are the database's.
"""

from abc import abstractmethod
from typing import Any

from django.db import models
from django.db.backends.ddl_references import Columns, Statement, Table

_Model = Any  # a model class; the stubs allow None, which Django never passes
_Editor = Any  # its schema editor, likewise

ACTIVE_PRACTICE_SQL = "(SELECT current_setting('app.practice_id', true)::uuid)"


class _DeferredConstraint(models.BaseConstraint):
    """A constraint whose SQL runs when the migration's tables are all there."""

    @abstractmethod
    def _statements(self, model: _Model, editor: _Editor) -> list[Statement]: ...

    def constraint_sql(self, model: _Model, schema_editor: _Editor) -> str:
        return self.create_sql(model, schema_editor)

    def create_sql(self, model: _Model, schema_editor: _Editor) -> str:
        """Always empty: CREATE TABLE and `execute` would run None as SQL."""
        schema_editor.deferred_sql.extend(self._statements(model, schema_editor))
        return ""

    def _forget_deferred(self, model: _Model, editor: _Editor) -> None:
        mine = {str(statement) for statement in self._statements(model, editor)}
        editor.deferred_sql[:] = [statement for statement in editor.deferred_sql if str(statement) not in mine]

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: see the module's docstring."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash((type(self), self.name))


class PracticeIsolation(_DeferredConstraint):
    """UNIQUE (practice_id, id), which same-practice keys point at, and a forced row policy for every login."""

    def _statements(self, model: _Model, editor: _Editor) -> list[Statement]:
        table = Table(model._meta.db_table, editor.quote_name)
        unique = editor.quote_name(f"{model._meta.db_table}_practice_id_id"[:63])
        templates = (
            f"ALTER TABLE %(table)s ADD CONSTRAINT {unique} UNIQUE (practice_id, id)",
            "ALTER TABLE %(table)s ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE %(table)s FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY practice_isolation ON %(table)s"
            f" USING (practice_id = {ACTIVE_PRACTICE_SQL}) WITH CHECK (practice_id = {ACTIVE_PRACTICE_SQL})",
        )
        return [Statement(template, table=table) for template in templates]

    def create_sql(self, model: _Model, schema_editor: _Editor) -> str:
        """In front of what is deferred already: same-practice keys need the unique to exist."""
        schema_editor.deferred_sql[:0] = self._statements(model, schema_editor)
        return ""

    def remove_sql(self, model: _Model, schema_editor: _Editor) -> Statement:  # type: ignore[override]  # as Django's own
        self._forget_deferred(model, schema_editor)
        table = Table(model._meta.db_table, schema_editor.quote_name)
        unique = schema_editor.quote_name(f"{model._meta.db_table}_practice_id_id"[:63])
        return Statement(
            "DROP POLICY IF EXISTS practice_isolation ON %(table)s;"
            " ALTER TABLE %(table)s NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY,"
            f" DROP CONSTRAINT IF EXISTS {unique} CASCADE",
            table=table,
        )


class SamePractice(_DeferredConstraint):
    """FOREIGN KEY (practice_id, x_id) -> (practice_id, id), checked at commit, with an index unless `index=False`.

    FORCE is lifted from both tables while it is added: under it the owner sees no rows, nothing would be
    checked, and PostgreSQL would still call the key valid.
    """

    def __init__(self, *, field: str, to: str, name: str, index: bool = True) -> None:
        super().__init__(name=name)
        self.field, self.to, self.index = field, to, index

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "field": self.field, "to": self.to, "index": self.index}

    def _statements(self, model: _Model, editor: _Editor) -> list[Statement]:
        field = model._meta.get_field(self.field)
        target_model = field.related_model
        parts = {
            "table": Table(model._meta.db_table, editor.quote_name),
            "target": Table(target_model._meta.db_table, editor.quote_name),
            "column": Columns(model._meta.db_table, [field.column], editor.quote_name),
        }
        name = editor.quote_name(self.name)
        templates = [
            "ALTER TABLE %(table)s NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE %(target)s NO FORCE ROW LEVEL SECURITY",
            f"ALTER TABLE %(table)s ADD CONSTRAINT {name} FOREIGN KEY (practice_id, %(column)s)"
            " REFERENCES %(target)s (practice_id, id) DEFERRABLE INITIALLY DEFERRED",
            "ALTER TABLE %(target)s FORCE ROW LEVEL SECURITY",
            "ALTER TABLE %(table)s FORCE ROW LEVEL SECURITY",
        ]
        if self.index:
            templates.append(f"CREATE INDEX {self._index_name(editor)} ON %(table)s (practice_id, %(column)s)")
        return [Statement(template, **parts) for template in templates]

    def _index_name(self, editor: _Editor) -> str:
        return str(editor.quote_name(f"{self.name[:59]}_idx"))

    def remove_sql(self, model: _Model, schema_editor: _Editor) -> Statement:  # type: ignore[override]  # as Django's own
        self._forget_deferred(model, schema_editor)
        return Statement(
            f"ALTER TABLE %(table)s DROP CONSTRAINT IF EXISTS {schema_editor.quote_name(self.name)};"
            f" DROP INDEX IF EXISTS {self._index_name(schema_editor)}",
            table=Table(model._meta.db_table, schema_editor.quote_name),
        )


class OwnRows(_DeferredConstraint):
    """Beside isolation: a user may read (never write) their own rows in every practice, for choosing one at login."""

    def _statements(self, model: _Model, editor: _Editor) -> list[Statement]:
        table = Table(model._meta.db_table, editor.quote_name)
        return [
            Statement(
                "CREATE POLICY own_rows ON %(table)s FOR SELECT"
                " USING (user_id = (SELECT current_setting('app.user_id', true)::uuid))",
                table=table,
            )
        ]

    def remove_sql(self, model: _Model, schema_editor: _Editor) -> Statement:  # type: ignore[override]  # as Django's own
        self._forget_deferred(model, schema_editor)
        table = Table(model._meta.db_table, schema_editor.quote_name)
        return Statement("DROP POLICY IF EXISTS own_rows ON %(table)s", table=table)
