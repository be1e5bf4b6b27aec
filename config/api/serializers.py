"""Base serializers: what a body may hold is declared, and everything else in it is refused."""

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias, TypeVar

from django.core.exceptions import ValidationError as ModelValidationError
from django.db import models
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import empty
from rest_framework.request import Request

from config.api import fields
from config.api.problem import FieldError, ParameterProblem, model_errors

M = TypeVar("M", bound=models.Model)
T = TypeVar("T")

FieldMapping: TypeAlias = "dict[type[models.Field[Any, Any]], type[serializers.Field[Any, Any, Any, Any]]]"

UNKNOWN = ErrorDetail("This field is not known here.", "unknown_field")
READ_ONLY = ErrorDetail("This field can't be written.", "unknown_field")


class _Strict(serializers.Serializer[T]):
    """Adds the names of unknown and read-only fields to whatever else is wrong, so a client learns all at once."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = self._unknown(data) if isinstance(data, Mapping) else {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as exc:
            if not unknown or not isinstance(exc.detail, dict):
                raise
            raise serializers.ValidationError({**exc.detail, **unknown}) from exc
        if unknown:
            raise serializers.ValidationError(unknown)
        return value

    def _unknown(self, data: Mapping[Any, Any]) -> dict[str, list[ErrorDetail]]:
        writable = {name for name, field in self.fields.items() if not field.read_only}
        refused = [str(name) for name in data if name not in writable][:20]
        return {name: [READ_ONLY if name in self.fields else UNKNOWN] for name in refused}


class StrictSerializer(_Strict[Any]):
    """For requests that are no model: use the fields of `config.api.fields`."""


class QuerySerializer(StrictSerializer):
    """For the query parameters of a view that is no list."""

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        """The request's parameters; raises ParameterProblem about all that are wrong."""
        query = cls(data=request.query_params.dict(), context={"request": request})
        if query.is_valid():
            return dict(query.validated_data)
        raise ParameterProblem(
            errors=[
                FieldError(f"/{name}", detail.code or "invalid", str(detail), "query")
                for name, details in query.errors.items()
                for detail in details
            ]
        )


class NoBody(StrictSerializer):
    """For actions that take no body; a view with this serializer refuses every field without further code."""


class StrictModelSerializer(_Strict[M], serializers.ModelSerializer[M]):
    """Maps model fields to strict ones and checks the model's constraints, per-practice uniqueness included."""

    serializer_field_mapping: ClassVar[FieldMapping] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.BigIntegerField: fields.IntegerField,
        models.BooleanField: fields.BooleanField,
        models.CharField: fields.TextField,
        models.DateField: fields.DateField,
        models.DateTimeField: fields.InstantField,
        models.EmailField: fields.EmailField,
        models.IntegerField: fields.IntegerField,
        models.PositiveBigIntegerField: fields.IntegerField,
        models.PositiveIntegerField: fields.IntegerField,
        models.PositiveSmallIntegerField: fields.IntegerField,
        models.SlugField: fields.SlugField,
        models.SmallIntegerField: fields.IntegerField,
        models.TextField: fields.MultilineField,
        models.TimeField: fields.TimeField,
        models.URLField: fields.URLField,
        models.UUIDField: fields.UUIDField,
    }
    serializer_related_field = fields.RelatedIdField
    serializer_choice_field = fields.ChoiceField

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        field_class, kwargs = super().build_standard_field(field_name, model_field)
        if issubclass(field_class, fields.ChoiceField) and kwargs.pop("allow_blank", False):
            kwargs["blank_is_null"] = True
        return field_class, kwargs

    def run_validation(self, data: Any = empty) -> Any:
        attrs = super().run_validation(data)
        if isinstance(attrs, Mapping):
            self.check_constraints(attrs)
        return attrs

    def check_constraints(self, attrs: Mapping[str, Any]) -> None:
        """One statement per unique constraint. What a race lets through becomes a 409 when it is saved."""
        candidate = self._candidate(attrs)
        try:
            candidate.validate_constraints(exclude=self._unset(candidate, attrs))
        except ModelValidationError as exc:
            raise serializers.ValidationError(model_errors(exc)) from exc

    def _candidate(self, attrs: Mapping[str, Any]) -> models.Model:
        """The instance as it would be saved; the real one is not touched before everything is known to be right."""
        model: type[M] = self.Meta.model
        instance = copy.copy(self.instance) if isinstance(self.instance, model) else model()
        if instance is not self.instance and isinstance(self.instance, model):
            instance._state = copy.copy(self.instance._state)
        columns = {field.name for field in model._meta.concrete_fields}
        for name in columns & set(attrs):
            setattr(instance, name, attrs[name])
        return instance

    def _unset(self, candidate: models.Model, attrs: Mapping[str, Any]) -> set[str]:
        """Fields of a new instance that nobody has set yet: a service may still fill them."""
        if isinstance(self.instance, models.Model):
            return set()
        return {
            field.name
            for field in candidate._meta.concrete_fields
            if field.name not in attrs and field.name != "practice" and getattr(candidate, field.attname) in (None, "")
        }
