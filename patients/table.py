"""Patients as a table for a spreadsheet, which the import takes back."""

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any, TextIO

from rest_framework.renderers import BaseRenderer

from config.api.problem import Problem
from config.api.spreadsheets import cell
from patients.imports.reading import FIELDS

MAX_PATIENTS = 20_000
"""A file is made in memory, in the request's own transaction; `manage.py export_patients` takes any number."""


class TooManyPatients(Problem):
    status_code = 400
    code = "too_many_patients"
    default_detail = f"More than {MAX_PATIENTS} patients match: filter them."


def write(file: TextIO, rows: Iterable[Mapping[str, Any]], *, headings: bool = True) -> None:
    """`rows` as the API shows patients."""
    table = csv.writer(file)
    if headings:
        table.writerow(FIELDS)
    table.writerows([_text(row[name]) for name in FIELDS] for row in rows)


def _text(value: Any) -> str:
    return cell(str(value).lower() if isinstance(value, bool) else value)


class CsvRenderer(BaseRenderer):
    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> str:
        if data is None:  # OPTIONS
            return ""
        text = StringIO()
        write(text, data)
        return text.getvalue()
