"""Lists and single objects rendered by PostgreSQL: one statement gives the JSON that the serializer would have made.

Which columns, under which names and in which form, follows from the serializer alone, once a serializer class. A
queryset only says which rows, in which order. Fields that PostgreSQL can't make (encrypted, or following from several
columns) are finished in Python by the field itself: see `RowField`.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Protocol, runtime_checkable

import orjson
from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import connections, models
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import Col
from django.db.models.sql import Query
from rest_framework import serializers
from rest_framework.relations import PrimaryKeyRelatedField

from config.api import fields
from config.api.rendering import dumps

Row = dict[str, Any]
_MADE_BY_CODE = (serializers.ManyRelatedField, serializers.BaseSerializer, serializers.SerializerMethodField)
BASE = "t"


class NotRenderable(TypeError):
    """A serializer has a field that is made by code of its own: nothing says which columns it needs."""


class Absent:
    """What a field is to somebody who may not read it: there is no such key, which says less than an empty value."""


ABSENT = Absent()


class RowField(serializers.Field[Any, Any, Any, Any]):
    """A read-only field that is made from columns, in Python. One that may answer ABSENT says `may_be_absent`.

    `row_columns` maps the names that `from_row` takes to paths (`status`, `patient__restricted`) or, beginning with a
    parenthesis, to SQL that may speak of the row as `t`. Values are as JSON has them: instants and ids as text; an
    encrypted column's is the ciphertext.
    """

    row_columns: ClassVar[Mapping[str, str]] = {}
    may_be_absent: ClassVar[bool] = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "read_only": True, "source": "*"})

    @abstractmethod
    def from_row(self, **values: Any) -> Any: ...

    def from_object(self, instance: Any) -> Any:
        """For what is not rendered by PostgreSQL; override it where `row_columns` holds SQL."""
        found = {name: value_at(instance, path) for name, path in self.row_columns.items()}
        return self.from_row(**orjson.loads(dumps(found)))

    def get_attribute(self, instance: Any) -> Any:
        value = self.from_object(instance)
        if value is ABSENT:
            raise serializers.SkipField
        return value

    def to_representation(self, value: Any) -> Any:
        return value


@runtime_checkable
class Sealed(Protocol):
    """A model field whose column holds something else than its value."""

    def from_json(self, text: str, row_id: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Finisher:
    """A value that Python makes: where it belongs in the row, and under which keys of `_` its inputs are."""

    inside: tuple[str, ...]
    name: str
    function: Callable[..., Any]
    inputs: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Projection:
    """What a serializer shows, as SQL: the select list, the joins it needs, and what Python has to finish."""

    table: str
    select: str
    joins: str
    finishers: list["Finisher"] = field(default_factory=list)

    def sql(self, page: str, beside: Sequence[str] = (), carried: int = 0) -> str:
        """The statement for the rows whose ids the statement `page` gives in order; it may give more columns.

        `beside` is SQL of the row `t` that stands next to it; or the page's own next columns do, so many are `carried`.
        Ids come as an array, so that what PostgreSQL expects of the rest doesn't follow from how many rows it expects
        in the page: a plan for any values then looks as good as one for these, and is kept. OFFSET 0 keeps the planner
        from turning the look-up of each id into a walk through the whole table.
        """
        names = ["id", *(f"x{number}" for number in range(carried))]
        ids = f"unnest(ARRAY(SELECT i.id FROM ({page}) AS i(id))) WITH ORDINALITY AS page(id, place)"  # noqa: S608  # names of ours
        if carried:
            ids = f"(SELECT *, row_number() OVER () AS place FROM ({page}) AS i({', '.join(names)})) AS page"  # noqa: S608  # as above
            beside = [f"page.{name}" for name in names[1:]]
        extra = f", json_build_array({', '.join(beside)}) AS _page" if beside else ""
        return (
            f"SELECT coalesce(json_agg(r), '[]')::text FROM (SELECT {self.select}{extra} FROM {ids}"  # noqa: S608  # as above
            f" CROSS JOIN LATERAL (SELECT * FROM {self.table} WHERE id = page.id OFFSET 0) AS {BASE}{self.joins}"
            " ORDER BY page.place) AS r"
        )

    def finish(self, row: Row) -> Row:
        inputs = row.pop("_")
        for each in self.finishers:
            target = row
            for part in each.inside:
                target = target[part]
            value = each.function(**{name: inputs[key] for name, key in each.inputs})
            if value is ABSENT:
                del target[each.name]
            else:
                target[each.name] = value
        return row


def fetch(
    queryset: "models.QuerySet[Any, Any]", serializer: Any, extras: Sequence[str] = ()
) -> tuple[list[Row], list[list[Any]]]:
    """The queryset's rows as the serializer (a class) shows them, and beside each the values of the paths `extras`.

    One statement. Raises NotRenderable.
    """
    query: Any = queryset.query
    shown, own = projection(serializer), _own_columns(query.model)
    in_row = all(name in own for name in extras)
    try:
        page, params = _page(queryset, ("pk",) if in_row else ("pk", *extras))
    except EmptyResultSet:
        return [], []
    if in_row:
        statement = shown.sql(page, beside=[f"{BASE}.{own[name]}" for name in extras])
    else:
        statement = shown.sql(page, carried=len(extras))
    (text,) = _answer(queryset, statement, params)
    rows: list[Row] = orjson.loads(text)
    beside = [row.pop("_page") for row in rows] if extras else []
    return ([shown.finish(row) for row in rows] if shown.finishers else rows), beside


def _page(queryset: "models.QuerySet[Any, Any]", names: tuple[str, ...]) -> tuple[str, Sequence[Any]]:
    """The statement for these values of the queryset's rows. Raises EmptyResultSet.

    As nearly all lists are, Django only compiles tables and conditions: the rest takes it longer than those.
    """
    query: Any = queryset.query
    terms = tuple(str(term) for term in query.order_by)
    columns = _columns(query, names)
    order = _columns(query, tuple(term.lstrip("-") for term in terms))
    if columns is None or order is None or not _is_plain(query):
        statement: tuple[str, Sequence[Any]] = queryset.values_list(*names).query.get_compiler(queryset.db).as_sql()
        return statement
    compiler = query.get_compiler(queryset.db)
    try:
        condition, params = compiler.compile(query.where)
    except FullResultSet:
        condition, params = "true", ()
    joined = sum(map(bool, query.alias_refcount.values())) > 1
    tables, of_tables = compiler.get_from_clause() if joined else ([_quoted(query.model._meta.db_table)], ())
    what = ", ".join(columns)
    if query.distinct:  # PostgreSQL sorts those by what it shows
        what = f"DISTINCT {', '.join([*columns, *(each for each in order if each not in columns)])}"
    page = f"SELECT {what} FROM {' '.join(tables)} WHERE {condition}"  # noqa: S608  # names of ours
    if terms:
        ways = ("DESC" if term.startswith("-") else "ASC" for term in terms)
        page += " ORDER BY " + ", ".join(f"{column} {way}" for column, way in zip(order, ways, strict=True))
    return page if query.high_mark is None else f"{page} LIMIT {query.high_mark}", (*of_tables, *params)


def _columns(query: Any, names: tuple[str, ...]) -> list[str] | None:
    """The names' columns, in the model's table or annotated as they are; None if one of them is something else."""
    table, own, annotations = _quoted(query.model._meta.db_table), _own_columns(query.model), query.annotations
    found = []
    for name in names:
        if type(annotated := annotations.get(name)) is Col:
            found.append(f"{_quoted(annotated.alias)}.{_quoted(str(annotated.target.column))}")
        elif annotated is None and name in own:
            found.append(f"{table}.{own[name]}")
        else:
            return None
    return found


@cache
def _own_columns(model: type[models.Model]) -> dict[str, str]:
    columns = {each.attname: _quoted(str(each.column)) for each in model._meta.concrete_fields}
    return {**columns, "pk": columns[model._meta.pk.attname]}


_READ = {"where", "order_by", "high_mark", "distinct", "annotations", "alias_map", "alias_refcount", "table_map"}
_WITHOUT_EFFECT = {
    *("base_table", "select_related", "deferred_loading", "default_ordering"),
    *("used_aliases", "filter_is_sticky", "_lookup_joins", "_annotation_select_cache"),
}


def _is_plain(query: Any) -> bool:
    """Whether it selects rows of its model by conditions, in an order, up to a limit, and does nothing besides."""
    options = query.model._meta
    if query.base_table not in (None, options.db_table):
        return False
    if not query.order_by and query.default_ordering and options.ordering:
        return False
    if not all(type(each) is Col for each in query.annotations.values()):
        return False
    new, aside = _new_query(query.model), _READ | _WITHOUT_EFFECT
    return all(name in aside or value == new.get(name, new) for name, value in vars(query).items())


@cache
def _new_query(model: type[models.Model]) -> dict[str, Any]:
    return {**vars(Query), **vars(Query(model))}


def _answer(queryset: "models.QuerySet[Any, Any]", sql: str, params: Sequence[Any]) -> Any:
    """From a plan that PostgreSQL may have kept, unless the model says that its lists need one for their values."""
    connection: Any = connections[queryset.db]
    if getattr(queryset.model, "planned_for_values", False):
        return connection.together(sql, params)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone()


def from_memory(instance: "models.Model", serializer: Any) -> Row:
    """One object as `fetch` shows it, without asking: for what was just written and nothing in the database changes."""
    row: Row = _kept(serializer).to_representation(instance)
    return row


@cache
def _kept(serializer: Any) -> Any:
    """One of a class whose fields depend on no request, as those that PostgreSQL renders do. Raises NotRenderable."""
    projection(serializer)
    return serializer()


@cache
def projection(serializer: Any) -> Projection:
    """Of a serializer class. Raises NotRenderable."""
    return _Builder(serializer()).build()


@cache
def renderable(serializer: Any) -> bool:
    try:
        projection(serializer)
    except NotRenderable:
        return False
    return True


def value_at(instance: Any, path: str) -> Any:
    """The value at a path of attributes, of an object that was fetched as such."""
    for part in path.split(LOOKUP_SEP):
        instance = getattr(instance, part, None)
    return instance.pk if isinstance(instance, models.Model) else instance


class _Builder:
    """Walks one serializer's fields."""

    def __init__(self, serializer: Any, alias: str = BASE) -> None:
        if not isinstance(serializer, serializers.ModelSerializer):
            raise NotRenderable(f"{type(serializer).__name__} is of no model.")
        self.serializer, self.alias = serializer, alias
        self.model: type[models.Model] = serializer.Meta.model
        self.joins: dict[str, str] = {}
        self.inputs: dict[str, str] = {}
        self.finishers: list[Finisher] = []

    def build(self) -> Projection:
        shown = [f"{value} AS {_quoted(name)}" for name, value in self._values(self.serializer, "", ())]
        if self.inputs:
            pairs = ", ".join(f"'{key}', {sql}" for sql, key in self.inputs.items())
            shown.append(f"json_build_object({pairs}) AS _")
        return Projection(
            _quoted(self.model._meta.db_table), ", ".join(shown), "".join(self.joins.values()), self.finishers
        )

    def _values(self, serializer: Any, prefix: str, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        if type(serializer).to_representation is not serializers.Serializer.to_representation:
            raise NotRenderable(f"{type(serializer).__name__} has a to_representation of its own.")
        for name, each in serializer.fields.items():
            if not each.write_only:
                yield name, self._value(each, prefix, (*path, name))

    def _value(self, each: Any, prefix: str, path: tuple[str, ...]) -> str:
        if isinstance(each, RowField):
            return self._finished(path, each.from_row, each.row_columns)
        if isinstance(each, serializers.ModelSerializer):
            return self._nested(each, prefix + LOOKUP_SEP.join(each.source_attrs), path)
        if isinstance(each, fields.MoneyField):
            amount, currency = (self._column(prefix + name)[0] for name in (each.amount, each.currency))
            pair = f"json_build_object('amount', {amount}, 'currency', {currency})"
            return f"CASE WHEN {amount} IS NOT NULL THEN {pair} END"
        source = prefix + LOOKUP_SEP.join(each.source_attrs)
        if isinstance(each, PrimaryKeyRelatedField):
            return self._column(f"{source}_id")[0]
        if isinstance(each, serializers.ManyRelatedField) and not prefix:
            return self._many(each)
        if isinstance(each, serializers.ListSerializer) and not prefix and self.alias == BASE:
            return self._children(each, path)
        if isinstance(each, _MADE_BY_CODE):
            raise NotRenderable(f"{'.'.join(path)} of {type(self.serializer).__name__}: say what it is made from.")
        return self._plain(each, source, path)

    def _plain(self, each: Any, source: str, path: tuple[str, ...]) -> str:
        column, model_field = self._column(source)
        if isinstance(model_field, Sealed):
            row_id = source.rpartition(LOOKUP_SEP)[0]
            names = {"text": source, "row_id": f"{row_id}{LOOKUP_SEP}id" if row_id else "id"}
            return self._finished(path, model_field.from_json, names)
        value = _as_json(column, model_field)
        return f"NULLIF({value}, '')" if getattr(each, "blank_is_null", False) else value

    def _nested(self, nested: Any, source: str, path: tuple[str, ...]) -> str:
        values = self._values(nested, source + LOOKUP_SEP, path)
        pairs = ", ".join(f"'{name}', {value}" for name, value in values)
        return f"CASE WHEN {self._column(f'{source}_id')[0]} IS NOT NULL THEN json_build_object({pairs}) END"

    def _many(self, each: serializers.ManyRelatedField) -> str:
        """The ids at the other end of a many-to-many relation."""
        relation: Any = self.model._meta.get_field(".".join(each.source_attrs))
        through = relation.remote_field.through
        practice = f" AND x.practice_id = {BASE}.practice_id" if _has_practice(through) else ""
        other = f"x.{_quoted(relation.m2m_reverse_name())}"
        return (
            f"(SELECT coalesce(json_agg({other} ORDER BY {other}), '[]') FROM {_quoted(through._meta.db_table)} AS x"  # noqa: S608  # names of ours
            f" WHERE x.{_quoted(relation.m2m_column_name())} = {BASE}.id{practice})"
        )

    def _children(self, each: Any, path: tuple[str, ...]) -> str:
        """The rows that refer to this one, in the order that their model says."""
        relation: Any = self.model._meta.get_field(".".join(each.source_attrs))
        builder = _Builder(each.child, alias="x")
        pairs = ", ".join(f"'{name}', {value}" for name, value in builder._values(each.child, "", ()))
        if builder.finishers or not relation.one_to_many:
            raise NotRenderable(
                f"{'.'.join(path)} of {type(self.serializer).__name__}: PostgreSQL can't make it alone."
            )
        practice = f" AND x.practice_id = {BASE}.practice_id" if _has_practice(builder.model) else ""
        order = ", ".join(builder._column(str(name))[0] for name in builder.model._meta.ordering or ["id"])
        return (
            f"(SELECT coalesce(json_agg(json_build_object({pairs}) ORDER BY {order}), '[]')"  # noqa: S608  # names of ours
            f" FROM {_quoted(builder.model._meta.db_table)} AS x{''.join(builder.joins.values())}"
            f" WHERE x.{_quoted(relation.field.column)} = {BASE}.id{practice})"
        )

    def _finished(self, path: tuple[str, ...], function: Callable[..., Any], columns: Mapping[str, str]) -> str:
        inputs = []
        for name, column in columns.items():
            sql = column if column.startswith("(") else _as_json(*self._column(column))
            inputs.append((name, self.inputs.setdefault(sql, f"i{len(self.inputs)}")))
        self.finishers.append(Finisher(path[:-1], path[-1], function, tuple(inputs)))
        return "NULL::text"

    def _column(self, path: str) -> "tuple[str, models.Field[Any, Any]]":
        """The column at the end of a path of keys, which it joins, and its field."""
        model, alias = self.model, self.alias
        *keys, name = path.split(LOOKUP_SEP)
        for key in keys:
            relation: Any = model._meta.get_field(key)
            model, alias = relation.related_model, self._join(relation, alias)
        found = _field(model, name)
        return f"{alias}.{_quoted(found.column)}", found

    def _join(self, relation: Any, alias: str) -> str:
        """The practice is compared too: it is the first column of the index that the join uses."""
        target, joined = relation.related_model._meta, f"{alias}_{relation.name}"
        columns = [(relation.column, target.pk.column)]
        if _has_practice(relation.model) and _has_practice(relation.related_model):
            columns.append(("practice_id", "practice_id"))
        condition = " AND ".join(f"{joined}.{_quoted(there)} = {alias}.{_quoted(here)}" for here, there in columns)
        self.joins[joined] = f" LEFT JOIN {_quoted(target.db_table)} AS {_quoted(joined)} ON {condition}"
        return joined


def _as_json(column: str, model_field: Any) -> str:
    """In the form that the serializer's fields have: instants in UTC with a Z, numbers that JSON rounds as text."""
    if isinstance(model_field, models.DateTimeField):
        return f"((to_json({column} AT TIME ZONE 'UTC') #>> '{{}}') || 'Z')"
    if isinstance(model_field, models.DecimalField):
        return f"{column}::text"
    if isinstance(model_field, models.GenericIPAddressField):
        return f"host({column})"
    return column


def _field(model: type[models.Model], name: str) -> Any:
    for candidate in model._meta.concrete_fields:
        if name in (candidate.attname, candidate.name):
            return candidate
    raise NotRenderable(f"{model.__name__} has no column {name}.")


def _has_practice(model: type[models.Model]) -> bool:
    return any(each.attname == "practice_id" for each in model._meta.concrete_fields)


def _quoted(name: str) -> str:
    return f'"{name}"'
