"""From the file to the cells of each row, by the names of the patient's fields."""

import csv
from collections.abc import Iterator
from typing import TextIO

from config.api.spreadsheets import plain

FIELDS = (
    *("mrn", "given_name", "family_name", "preferred_name", "birth_date", "birth_date_precision", "sex"),
    *("gender_identity", "pronouns", "language", "time_zone", "deceased_at", "restricted", "phone", "email"),
)
"""What a column can be; the export's columns, too."""
REQUIRED = frozenset({"given_name", "family_name"})
DELIMITERS = ",;\t"

Mapping = dict[str, str]
"""Heading in the file -> field. Empty: columns are called as the fields are. Other columns are passed over."""


class ImportRefused(ValueError):
    """The file as a whole can't be read; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read(file: TextIO, mapping: Mapping) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Line number, and field -> text; None for a row with too few or too many cells. Raises ImportRefused."""
    try:
        yield from _read(file, mapping)
    except UnicodeDecodeError as error:
        raise ImportRefused("not_utf8") from error
    except csv.Error as error:
        raise ImportRefused("not_csv") from error


def _read(file: TextIO, mapping: Mapping) -> Iterator[tuple[int, dict[str, str] | None]]:
    heading = file.readline()
    delimiter = max(DELIMITERS, key=heading.count)
    headings = [name.strip() for name in next(csv.reader([heading.removeprefix("\ufeff")], delimiter=delimiter), [])]
    columns = _columns(headings, mapping)
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    for cells in reader:
        if not cells:
            continue
        line = reader.line_num + 1  # the heading was read before
        if len(cells) != len(headings):
            yield line, None
        else:
            yield line, {name: plain(cells[number]).strip() for number, name in columns.items()}


def _columns(headings: list[str], mapping: Mapping) -> dict[int, str]:
    """Number of a column -> field."""
    wanted = mapping or {heading: heading.lower() for heading in headings if heading.lower() in FIELDS}
    if wanted.keys() - set(headings):
        raise ImportRefused("unknown_heading")
    columns = {number: wanted[heading] for number, heading in enumerate(headings) if heading in wanted}
    if len(set(columns.values())) < len(columns):
        raise ImportRefused("field_mapped_twice")
    if not REQUIRED.issubset(columns.values()):
        raise ImportRefused("required_field_missing")
    return columns
