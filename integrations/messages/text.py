"""The language of message templates: plain text with `{{ name }}` for the few facts a message may carry.

Nothing clinical can be named: not the reason, the type of visit or who treats. A name outside the list is refused
when the template is saved, so a sent message never shows more than the practice chose from this list.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.utils import formats, translation

PLACEHOLDERS = frozenset(
    {"practice_name", "location_name", "location_phone", "patient_given_name", "start_date", "start_time"}
)
_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def validate_placeholders(text: str) -> None:
    """Raises ValidationError for a name outside PLACEHOLDERS and for braces that make no placeholder."""
    unknown = sorted(set(_PLACEHOLDER.findall(text)) - PLACEHOLDERS)
    if unknown:
        allowed = ", ".join(sorted(PLACEHOLDERS))
        raise ValidationError(f"Unknown placeholder. Use one of: {allowed}.", code="unknown_placeholder")
    rest = _PLACEHOLDER.sub("", text)
    if "{{" in rest or "}}" in rest:
        raise ValidationError("A placeholder is written as {{ name }}.", code="malformed_placeholder")


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with each placeholder replaced once: braces inside a value stay as they are."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def one_line(text: str) -> str:
    """A subject can't hold line breaks: whatever a value brought along would start another header."""
    return " ".join(text.split())


def local_start(start: datetime, *, time_zone: str, locale: str) -> dict[str, str]:
    """The start as people there read it: date and time of the visit's own zone, in the practice's language."""
    local = start.astimezone(ZoneInfo(time_zone))
    with translation.override(locale):
        return {
            "start_date": formats.date_format(local, "DATE_FORMAT"),
            "start_time": f"{formats.time_format(local, 'TIME_FORMAT')} {local:%Z}",
        }
