"""Lists in pages by key: each page costs one statement however far in it lies, and rows never shift between pages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.db.models import BooleanField, F, Field, Func, Model, Q, QuerySet, Value
from django.db.models.constants import LOOKUP_SEP
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.cursor import Cursor, InvalidCursor
from config.api.problem import ParameterProblem

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
PARAMETERS = frozenset({"cursor", "page_size", "total"})

T = TypeVar("T")
Position = Sequence[Any]


@dataclass(frozen=True)
class Column:
    """One column of an ordering."""

    name: str
    descending: bool
    field: "Field[Any, Any]"
    nullable: bool

    def reversed(self) -> "Column":
        return Column(self.name, not self.descending, self.field, self.nullable)

    @property
    def term(self) -> str:
        return f"-{self.name}" if self.descending else self.name


class KeysetPagination(BasePagination):
    """Takes the queryset's own ordering and adds the id as a tie-break."""

    def page_queryset(self, queryset: Any, request: Request) -> Any:
        """The rows of the page, and one more if there is a following one. `names` then says what it is ordered by.

        A queryset may know columns with the same values that an index has in this order, by its `equal_order`.
        """
        self.request = request
        self.count = _count(queryset) if _wants_total(request) else None
        self.columns = ordering_columns(queryset)
        self.cursor = self._cursor()
        self.size = _page_size(request)
        backwards = self.cursor is not None and self.cursor.backwards
        self.names = tuple(column.name for column in self.columns)
        columns = self.columns
        if equal := getattr(queryset, "equal_order", {}).get(self.names):
            columns = [replace(each, name=name) for each, name in zip(self.columns, equal, strict=True)]
        columns = [column.reversed() for column in columns] if backwards else columns
        if self.cursor is not None:
            queryset = queryset.filter(after(columns, self._position(self.cursor)))
        page = queryset.order_by(*(column.term for column in columns))
        page.query.set_limits(high=self.size + 1)  # a slice copies it once more
        return page

    def take(self, rows: list[T], positions: list[Position]) -> list[T]:
        """What was found, without the row too many; `positions` are the rows' values of the ordering's columns."""
        self.more = len(rows) > self.size
        backwards = self.cursor is not None and self.cursor.backwards
        step = -1 if backwards else 1
        self.positions = positions[: self.size][::step]
        return rows[: self.size][::step]

    def get_paginated_response(self, data: Any) -> Response:
        total = {} if self.count is None else {"total": self.count}
        return Response({"next": self.next_url(), "previous": self.previous_url(), **total, "results": data})

    def next_url(self) -> str | None:
        if self.cursor is not None and self.cursor.backwards:
            return self._url(self.positions[-1], backwards=False) if self.positions else None
        return self._url(self.positions[-1], backwards=False) if self.more else None

    def previous_url(self) -> str | None:
        if self.cursor is None or not self.positions:
            return None
        if self.cursor.backwards and not self.more:
            return None
        return self._url(self.positions[0], backwards=True)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        url = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**url, "description": "The following page; null on the last."},
                "previous": {**url, "description": "The page before; null on the first."},
                "total": {"type": "integer", "minimum": 0, "description": "Only with `total=true`."},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": DEFAULT_PAGE_SIZE}
        return [
            _parameter("cursor", {"type": "string"}, "Continues a list; take it from `next` or `previous`."),
            _parameter("page_size", size, "Rows per page."),
            _parameter("total", {"type": "boolean", "default": False}, "Adds the number of all rows, which is slower."),
        ]

    def _cursor(self) -> Cursor | None:
        text = self.request.query_params.get("cursor")
        if text is None:
            return None
        try:
            cursor = Cursor.decode(text)
        except InvalidCursor as exc:
            raise _invalid_cursor() from exc
        if cursor.ordering != tuple(column.term for column in self.columns):
            raise _invalid_cursor()
        return cursor

    def _position(self, cursor: Cursor) -> list[Any]:
        try:
            return [column.field.to_python(value) for column, value in zip(self.columns, cursor.position, strict=True)]
        except (ValidationError, ValueError) as exc:
            raise _invalid_cursor() from exc

    def _url(self, position: Position, *, backwards: bool) -> str:
        ordering = tuple(column.term for column in self.columns)
        given = self.request.query_params.dict()
        query = {**given, "cursor": Cursor(ordering, tuple(position), backwards).encode()}
        return f"{self.request.build_absolute_uri(self.request.path)}?{urlencode(sorted(query.items()))}"


def ordering_columns(queryset: "QuerySet[Model, Any]") -> list[Column]:
    """The queryset's ordering with the id last; the id goes the way of the column before it, so one index serves."""
    terms = [str(term) for term in queryset.query.order_by or queryset.model._meta.ordering or ()]
    names = [term.lstrip("-") for term in terms]
    if "id" not in names and "pk" not in names:
        terms.append("-id" if terms and terms[-1].startswith("-") else "id")
    return [_column(queryset, term) for term in terms]


def _column(queryset: "QuerySet[Model, Any]", term: str) -> Column:
    name = term.lstrip("-")
    annotation = queryset.query.annotations.get(name)
    if annotation is not None:
        return Column(name, term.startswith("-"), annotation.output_field, True)
    model: Any = queryset.model
    nullable = False
    for part in name.split(LOOKUP_SEP):
        field = model._meta.pk if part == "pk" else _field(model, part)
        nullable = nullable or field.null
        model = field.related_model
    return Column(name, term.startswith("-"), field, nullable)


def _field(model: Any, name: str) -> Any:
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist as exc:
        raise FieldError(f"{model.__name__} can't be ordered by {name}") from exc


def after(columns: list[Column], position: list[Any]) -> Any:
    """The rows behind a position. A row comparison when the columns allow it: a btree index then finds the place."""
    same_direction = len({column.descending for column in columns}) == 1
    if same_direction and not any(column.nullable for column in columns):
        return _row_comparison(columns, position)
    return _nested_comparison(columns, position)


def _row_comparison(columns: list[Column], position: list[Any]) -> Func:
    output = BooleanField()
    names = Func(*(F(column.name) for column in columns), function="ROW", output_field=output)
    fields = (Value(value, output_field=column.field) for column, value in zip(columns, position, strict=True))
    values = Func(*fields, function="ROW", output_field=output)
    operator = " < " if columns[0].descending else " > "
    return Func(names, values, template="(%(expressions)s)", arg_joiner=operator, output_field=output)


def _nested_comparison(columns: list[Column], position: list[Any]) -> Q:
    """a > x or (a = x and (b > y or (b = y and ...))), with nulls as PostgreSQL sorts them: above every value."""
    pairs = list(zip(columns, position, strict=True))

    def step(rest: Q, pair: tuple[Column, Any]) -> Q:
        column, value = pair
        return _beyond(column, value) | (_same(column, value) & rest)

    last_column, last_value = pairs[-1]
    return reduce(step, reversed(pairs[:-1]), _beyond(last_column, last_value))


def _same(column: Column, value: Any) -> Q:
    return Q(**{f"{column.name}__isnull": True}) if value is None else Q(**{column.name: value})


def _beyond(column: Column, value: Any) -> Q:
    if value is None:
        return Q(**{f"{column.name}__isnull": False}) if column.descending else Q(pk__in=[])
    if column.descending:
        return Q(**{f"{column.name}__lt": value})
    above = Q(**{f"{column.name}__gt": value})
    return above | Q(**{f"{column.name}__isnull": True}) if column.nullable else above


def _page_size(request: Request) -> int:
    text = request.query_params.get("page_size")
    if text is None:
        return DEFAULT_PAGE_SIZE
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MAX_PAGE_SIZE):
        raise ParameterProblem.of("page_size", "invalid", f"Give a number from 1 to {MAX_PAGE_SIZE}.")
    return int(text)


def _wants_total(request: Request) -> bool:
    text = request.query_params.get("total", "false")
    if text not in {"true", "false"}:
        raise ParameterProblem.of("total", "invalid", "Give true or false.")
    return text == "true"


def _count(queryset: Any) -> int:
    return int(queryset.count())


def _invalid_cursor() -> ParameterProblem:
    return ParameterProblem.of("cursor", "invalid_cursor", "This cursor is not one of this list.")


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
