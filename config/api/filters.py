"""What a list can be narrowed and sorted by: declared, typed, and refused when unknown."""

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import QueryDict
from django_filters.constants import EMPTY_VALUES
from django_filters.fields import BaseCSVField
from django_filters.filterset import FILTER_FOR_DBFIELD_DEFAULTS
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.views import APIView

from config.api.conditions import where
from config.api.instants import parse_date, parse_instant
from config.api.problem import FieldError, ParameterProblem

MAX_VALUE_LENGTH = 4096
MAX_CSV_VALUES = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_query(query: QueryDict, allowed: Iterable[str]) -> None:
    """Refuses parameters that are unknown, repeated, empty, overlong or hold control characters."""
    names = set(allowed)
    for name, values in query.lists():
        if name not in names:
            raise ParameterProblem.of(name, "unknown_parameter", "This parameter is not known here.")
        if len(values) != 1:
            raise ParameterProblem.of(name, "repeated", "Give this parameter once; separate several values by commas.")
        if not values[0]:
            raise ParameterProblem.of(name, "blank", "Leave the parameter out instead of giving it no value.")
        if len(values[0]) > MAX_VALUE_LENGTH or _CONTROL.search(values[0]):
            raise ParameterProblem.of(name, "invalid", "This value is too long or holds control characters.")


class _Instant(forms.Field):
    def to_python(self, value: Any) -> datetime.datetime | None:
        return parse_instant(value) if value else None


class _Date(forms.Field):
    def to_python(self, value: Any) -> datetime.date | None:
        return parse_date(value) if value else None


class _Boolean(forms.Field):
    def to_python(self, value: Any) -> bool | None:
        if value in ("", None):
            return None
        if value not in {"true", "false"}:
            raise ValidationError("Give true or false.", code="invalid")
        return bool(value == "true")


@extend_schema_field(OpenApiTypes.DATETIME)
class InstantFilter(django_filters.Filter):
    field_class = _Instant


@extend_schema_field(OpenApiTypes.DATE)
class DateFilter(django_filters.Filter):
    field_class = _Date


@extend_schema_field(OpenApiTypes.BOOL)
class BooleanFilter(django_filters.Filter):
    field_class = _Boolean


class IdFilter(django_filters.UUIDFilter):
    """Compares with the key itself: an unknown id and a foreign one both give an empty list, without a query."""


class _CSVField(BaseCSVField):
    def clean(self, value: Any) -> Any:
        if value and (len(value) > MAX_CSV_VALUES or "" in value):
            raise ValidationError(f"Give 1 to {MAX_CSV_VALUES} values separated by commas.", code="invalid")
        return super().clean(value)


class _InFilter(django_filters.BaseInFilter):
    base_field_class = _CSVField


class IdInFilter(_InFilter, django_filters.UUIDFilter):
    """`provider__in=<id>,<id>`."""


class ChoiceInFilter(_InFilter, django_filters.ChoiceFilter):
    """`status__in=booked,arrived`; each value must be one of the choices."""


class TextInFilter(_InFilter, django_filters.CharFilter):
    """`code__in=a,b`."""


class FilterSet(django_filters.FilterSet):
    """Base of every filter set: strict dates, instants with an offset, keys compared without looking them up.

    One of each class serves all requests: the package would copy every filter, field and form for each.
    """

    FILTER_DEFAULTS = {
        **FILTER_FOR_DBFIELD_DEFAULTS,
        models.DateTimeField: {"filter_class": InstantFilter},
        models.DateField: {"filter_class": DateFilter},
        models.BooleanField: {"filter_class": BooleanFilter},
        models.ForeignKey: {"filter_class": IdFilter},
        models.OneToOneField: {"filter_class": IdFilter},
    }

    def narrow(self, queryset: Any, query: QueryDict) -> Any:
        """The rows that the query's parameters ask for; raises ParameterProblem."""
        asked = [(name, each) for name, each in self.filters.items() if name in query]
        values: list[Any] = []
        errors: list[FieldError] = []
        for name, each in asked:
            try:
                values.append(each.field.clean(each.field.widget.value_from_datadict(query, {}, name)))
            except ValidationError as error:
                errors += _errors(name, error)
        if errors:
            raise ParameterProblem("Some parameters are not valid.", errors=errors)
        return _narrowed(queryset, [(each, value) for (_, each), value in zip(asked, values, strict=True)])


def _narrowed(queryset: Any, asked: Sequence[tuple[Any, Any]]) -> Any:
    conditions = []
    for each, value in asked:
        if not _only_compares(each):
            queryset = each.filter(queryset, value)
        elif value not in EMPTY_VALUES:
            conditions.append((each.field_name, each.lookup_expr, value))
    return where(queryset, *conditions) if conditions else queryset


@cache
def _only_compares(each: Any) -> bool:
    """Whether a filter compares one column of the row and does nothing besides."""
    if (
        each.distinct
        or each.exclude
        or type(each).filter is not django_filters.Filter.filter
        or each.method is not None
    ):
        return False
    column = next((field for field in each.model._meta.concrete_fields if field.name == each.field_name), None)
    return column is not None and column.get_lookup(each.lookup_expr) is not None


def _errors(name: str, invalid: ValidationError) -> Iterable[FieldError]:
    for error in invalid.error_list:
        yield FieldError(f"/{name}", error.code or "invalid", " ".join(error.messages), "query")


class UpdatedSinceFilterSet(FilterSet):
    """Adds `updated_since`, with which a client fetches what changed since its last visit."""

    updated_since = InstantFilter(field_name="updated_at", lookup_expr="gte", label="Changed at or after this instant.")


class FilterBackend(DjangoFilterBackend):
    filterset_base = FilterSet

    def get_filterset_class(self, view: APIView, queryset: Any = None) -> Any:
        """The package makes the class of `filterset_fields` anew for every request."""
        view_class: Any = type(view)
        return _filterset_class(view_class, getattr(queryset, "model", None))

    def filter_queryset(self, request: Request, queryset: Any, view: APIView) -> Any:
        if not request.query_params or self.parameter_names(view).isdisjoint(request.query_params):
            return queryset
        return _filterset(self.get_filterset_class(view, queryset), queryset.model).narrow(
            queryset, request.query_params
        )

    def parameter_names(self, view: APIView) -> set[str]:
        filterset_class = self.get_filterset_class(view, getattr(view, "queryset", None))
        return set(filterset_class.base_filters) if filterset_class else set()


@cache
def _filterset_class(view_class: Any, model: Any) -> Any:
    queryset = None if model is None else model._default_manager.all()
    return super(FilterBackend, FilterBackend()).get_filterset_class(view_class(), queryset)


@cache
def _filterset(filterset_class: Any, model: Any) -> Any:
    return filterset_class(queryset=models.QuerySet(model))


class OrderingBackend(BaseFilterBackend):
    """`ordering=start,-created_at` out of the view's `ordering_fields`; without it the view's `ordering`.

    `ordering_fields` names columns, or maps a public name to one or several columns.
    """

    def filter_queryset(self, request: Request, queryset: "QuerySet[Any]", view: APIView) -> "QuerySet[Any]":
        terms = self._terms(request, view)
        return queryset.order_by(*terms) if terms else queryset

    def parameter_names(self, view: APIView) -> set[str]:
        return {"ordering"} if _ordering_fields(view) else set()

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        names = sorted(_ordering_fields(view))
        if not names:
            return []
        values = [sign + name for name in names for sign in ("", "-")]
        return [
            {
                "name": "ordering",
                "in": "query",
                "required": False,
                "description": "Names to sort by, a minus before one for descending.",
                "schema": {"type": "array", "items": {"type": "string", "enum": values}},
                "style": "form",
                "explode": False,
            }
        ]

    def _terms(self, request: Request, view: APIView) -> list[str]:
        text = request.query_params.get("ordering")
        if text is None:
            default = getattr(view, "ordering", None) or ()
            return [default] if isinstance(default, str) else list(default)
        known = _ordering_fields(view)
        names = [term.removeprefix("-") for term in text.split(",")]
        if not set(names) <= set(known) or len(set(names)) != len(names):
            raise ParameterProblem.of("ordering", "invalid", f"Sort by one or more of: {', '.join(sorted(known))}.")
        return [term for name in text.split(",") for term in _columns(name, known)]


def _ordering_fields(view: APIView) -> Mapping[str, Sequence[str]]:
    declared = getattr(view, "ordering_fields", None) or ()
    if isinstance(declared, Mapping):
        return {name: (columns,) if isinstance(columns, str) else columns for name, columns in declared.items()}
    return {name: (name,) for name in declared}


def _columns(term: str, known: Mapping[str, Sequence[str]]) -> list[str]:
    columns = known[term.removeprefix("-")]
    if not term.startswith("-"):
        return list(columns)
    return [column.removeprefix("-") if column.startswith("-") else f"-{column}" for column in columns]
