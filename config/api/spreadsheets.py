"""Cells of CSV files that a spreadsheet shows as they are, and that come back as they were."""

import re

_FORMULA = re.compile(r"'*(\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
"""What spreadsheets take for the beginning of a formula, some behind spaces and some in full width; behind apostrophes,
it was marked before.
"""


def cell(value: object) -> str:
    """As text; what a spreadsheet would run gets an apostrophe in front, which tells it that this is text."""
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def plain(text: str) -> str:
    """What `cell` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
