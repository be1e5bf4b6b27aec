"""JSON in, strictly: what PostgreSQL can't store or Python can't walk is refused before any view sees it."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.parsers import BaseParser

from config.api.problem import MalformedRequest, PayloadTooLarge

MAX_DEPTH = 32


class JSONParser(BaseParser):
    """Refuses NaN, infinities, invalid UTF-8, lone surrogates (all by orjson), NUL characters and deep nesting."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise PayloadTooLarge()
        return loads(body)


def loads(body: bytes) -> Any:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise MalformedRequest("The body is not valid JSON.") from exc
    _check(data)
    return data


def _check(data: Any) -> None:
    """Walks level by level, so that depth costs no stack."""
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise MalformedRequest(f"The body is nested more than {MAX_DEPTH} levels deep.")
        level = [child for value in level for child in _children(value)]


def _children(value: Any) -> list[Any]:
    if isinstance(value, str):
        if "\x00" in value:
            raise MalformedRequest("Text must not contain the NUL character.")
        return []
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []
