"""The log as a file: one JSON object a line, or a table."""

import csv
from collections.abc import Mapping
from io import StringIO
from typing import Any

from rest_framework.renderers import BaseRenderer

from config.api.problem import Problem
from config.api.rendering import dumps
from config.api.spreadsheets import cell

MAX_EVENTS = 20_000
"""A file is made in memory, in the request's own transaction: its event stands or falls with it."""
COLUMNS = (
    *("id", "at", "actor", "actor_kind", "actor_id", "roles", "action", "entity", "entity_id", "patients"),
    *("changes", "operation", "reason", "status", "request_id", "ip"),
)


class TooManyEvents(Problem):
    status_code = 400
    code = "too_many_events"
    default_detail = f"More than {MAX_EVENTS} events match: ask for a shorter time by `from` and `to`."


class NdjsonRenderer(BaseRenderer):
    media_type = "application/x-ndjson"
    format = "ndjson"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        """An empty line when there are no rows: without a body REST framework takes the content type away."""
        return b"" if data is None else b"".join(dumps(row) + b"\n" for row in data) or b"\n"


class CsvRenderer(BaseRenderer):
    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> str:
        if data is None:  # OPTIONS
            return ""
        text = StringIO()
        table = csv.writer(text)
        table.writerow(COLUMNS)
        table.writerows([cell(value) for value in _flat(row)] for row in data)
        return text.getvalue()


def _flat(row: Mapping[str, Any]) -> list[Any]:
    actor = row["actor"]
    told = {
        **row,
        "actor": actor["label"],
        "actor_kind": actor["kind"],
        "actor_id": actor["id"],
        "roles": " ".join(actor["roles"]),
        "patients": " ".join(row["patients"]),
        "changes": dumps(row["changes"]).decode(),
    }
    return [told[name] for name in COLUMNS]
