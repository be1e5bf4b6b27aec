"""Dates, instants and times of day in exactly the form the contract names, and in a range every layer can hold."""

import datetime
import re

from django.core.exceptions import ValidationError

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_WALL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?", re.ASCII)
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2})?", re.ASCII)
_FRACTION = re.compile(r"(\.\d{6})\d+")


def parse_date(value: object) -> datetime.date:
    """`2027-03-14`; the years 1 to 9999."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValidationError("Give a date as YYYY-MM-DD.", code="invalid")
    try:
        return datetime.date.fromisoformat(value)
    except ValueError as exc:
        raise ValidationError("There is no such date.", code="invalid") from exc


def parse_instant(value: object) -> datetime.datetime:
    """RFC 3339 with an offset, `2027-03-14T09:30:00-04:00`; years 2 to 9998, so that no zone leaves the range."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValidationError("Give an instant as 2027-03-14T09:30:00Z or with another offset.", code="invalid")
    try:
        parsed = datetime.datetime.fromisoformat(_FRACTION.sub(r"\1", value))
    except ValueError as exc:
        raise ValidationError("There is no such instant.", code="invalid") from exc
    if not 1 < parsed.year < datetime.MAXYEAR:
        raise ValidationError("This instant is out of range.", code="invalid")
    return parsed.astimezone(datetime.UTC)


def parse_local_or_instant(value: object) -> datetime.datetime:
    """An instant, or without an offset a naive wall-clock time whose zone the caller knows."""
    if not isinstance(value, str) or not _WALL.fullmatch(value):
        return parse_instant(value)
    return parse_instant(f"{value}Z").replace(tzinfo=None)


def parse_time(value: object) -> datetime.time:
    """A local time of day, `09:30` or `09:30:00`."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValidationError("Give a time of day as HH:MM.", code="invalid")
    try:
        return datetime.time.fromisoformat(value)
    except ValueError as exc:
        raise ValidationError("There is no such time of day.", code="invalid") from exc
