"""Serializer fields that take exactly the JSON type they say: no "5" for 5, no 1 for true, no number for text."""

import datetime
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from django.core.exceptions import ObjectDoesNotExist
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.utils.encoding import force_str
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.relations import PrimaryKeyRelatedField

from config.api.instants import parse_date, parse_instant, parse_local_or_instant, parse_time

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_EXCEPT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
T = TypeVar("T")

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
MAX_AMOUNT = 10**12
MAX_RELATED = 100


class TextField(serializers.CharField):
    """One line of text, trimmed."""

    control = _CONTROL

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if self.control.search(data):
            raise serializers.ValidationError("Control characters are not allowed.", code="control_character")
        return super().to_internal_value(data)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """CharField calls str() on the value to see whether it is blank; anything but text is left to fail first."""
        if data is not serializers.empty and data is not None and not isinstance(data, str):
            self.fail("invalid")
        return super().run_validation(data)


class MultilineField(TextField):
    """Text in which tabs and line breaks are welcome."""

    control = _CONTROL_EXCEPT_LINES


class EmailField(TextField, serializers.EmailField):
    pass


class URLField(TextField, serializers.URLField):
    pass


class SlugField(TextField, serializers.SlugField):
    pass


class BooleanField(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=_shown(data))
        return data


class IntegerField(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class UUIDField(serializers.UUIDField):
    def to_internal_value(self, data: Any) -> uuid.UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=_shown(data))
        try:
            return uuid.UUID(data)
        except ValueError:
            self.fail("invalid", value=_shown(data))


class ChoiceField(serializers.ChoiceField):
    """One of the choices. A column that says "none of them" with "" is null in JSON, not one more member."""

    def __init__(self, choices: Any, *, blank_is_null: bool = False, **kwargs: Any) -> None:
        self.blank_is_null = blank_is_null
        super().__init__(choices, **{**kwargs, **({"allow_null": True} if blank_is_null else {})})

    def run_validation(self, data: Any = serializers.empty) -> Any:
        value = super().run_validation(data)
        return "" if value is None and self.blank_is_null else value

    def to_representation(self, value: Any) -> Any:
        return None if value == "" and self.blank_is_null else super().to_representation(value)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str | int) or isinstance(data, bool):
            self.fail("invalid_choice", input=_shown(data))
        if data == "" and not self.allow_blank:
            self.fail("invalid_choice", input="")
        return super().to_internal_value(data)


class DateField(serializers.DateField):
    def to_internal_value(self, value: Any) -> datetime.date:
        return _parsed(parse_date, value)


class InstantField(serializers.DateTimeField):
    """RFC 3339 with an offset; written out in UTC, with as many digits of a second as there are."""

    def to_representation(self, value: Any) -> Any:
        text: Any = super().to_representation(value)
        return text[:-1].rstrip("0") + "Z" if isinstance(text, str) and "." in text and text.endswith("Z") else text

    def to_internal_value(self, value: Any) -> datetime.datetime:
        return _parsed(parse_instant, value)


class LocalOrInstantField(InstantField):
    """An instant, or without an offset what a clock on the wall shows at the place that the request is about."""

    def to_internal_value(self, value: Any) -> datetime.datetime:
        return _parsed(parse_local_or_instant, value)


@extend_schema_field({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", "examples": ["09:30:00"]})
class TimeField(serializers.TimeField):
    def to_internal_value(self, value: Any) -> datetime.time:
        return _parsed(parse_time, value)


class RelatedIdField(PrimaryKeyRelatedField[Any]):
    """Another object's id. One that doesn't exist and one of another practice get the same words."""

    default_error_messages = {
        "does_not_exist": "There is no such object.",
        "incorrect_type": "Give an id as a string.",
        "invalid": "This is not an id.",
    }

    def __deepcopy__(self, memo: Any) -> "RelatedIdField":
        """A serializer copies its fields for each request. The queryset is none of what a copy could change."""
        made: Any = self  # the stubs leave out what REST framework keeps of how it was made
        return type(self)(*made._args, **made._kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("incorrect_type")
        try:
            key = uuid.UUID(data)
        except ValueError:
            self.fail("invalid")
        found = self.find(key)
        if found is None:
            self.fail("does_not_exist")
        return found

    def find(self, key: uuid.UUID) -> Any:
        """None when there is no such object."""
        try:
            return cast("QuerySet[Any, Any]", self.get_queryset()).get(pk=key)
        except ObjectDoesNotExist:
            return None


@extend_schema_field(
    {
        "type": "object",
        "required": ["amount", "currency"],
        "properties": {
            "amount": {"type": "integer", "minimum": -MAX_AMOUNT, "maximum": MAX_AMOUNT},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        },
        "additionalProperties": False,
        "description": "Minor units of an ISO 4217 currency: 1250 USD is 12.50 dollars.",
        "examples": [{"amount": 1250, "currency": "USD"}],
    }
)
class MoneyField(serializers.Field[Any, Any, Any, Any]):
    """Two columns of a model shown as `{amount, currency}`; the arguments name the columns."""

    default_error_messages = {
        "invalid": "Give money as an amount in minor units, a whole number, and a currency, three capitals.",
        "amount": "The amount is out of range.",
        "negative": "The amount can't be negative.",
    }

    def __init__(self, *, amount: str, currency: str, allow_negative: bool = False, **kwargs: Any) -> None:
        self.amount, self.currency, self.allow_negative = amount, currency, allow_negative
        super().__init__(source="*", **kwargs)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping) or set(data) != {"amount", "currency"}:
            self.fail("invalid")
        amount, currency = data["amount"], data["currency"]
        if type(amount) is not int or not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
            self.fail("invalid")
        if abs(amount) > MAX_AMOUNT:
            self.fail("amount")
        if amount < 0 and not self.allow_negative:
            self.fail("negative")
        return {self.amount: amount, self.currency: currency}

    def to_representation(self, value: Any) -> dict[str, Any] | None:
        amount, currency = self._read(value, self.amount), self._read(value, self.currency)
        return None if amount is None else {"amount": amount, "currency": currency}

    @staticmethod
    def _read(value: Any, name: str) -> Any:
        return value.get(name) if isinstance(value, Mapping) else getattr(value, name)


def _parsed(parse: Callable[[object], T], value: object) -> T:
    try:
        return parse(value)
    except DjangoValidationError as exc:
        raise serializers.ValidationError(exc.message, code=exc.code) from exc


def _shown(value: object) -> str:
    """A caller's value inside a message, cut."""
    return force_str(value)[:50]
