"""URLs of viewsets: no trailing slash, and ids that are UUIDs or no route at all."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver
from rest_framework.routers import SimpleRouter

UUID_PATTERN = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"


def under(prefix: str, parameter: str, collection: str) -> str:
    """A router prefix below another object: `under("patients", "patient_id", "contacts")`."""
    return f"{prefix}/(?P<{parameter}>{UUID_PATTERN})/{collection}"


class Router(SimpleRouter):
    def __init__(self) -> None:
        super().__init__(trailing_slash=False)

    def get_lookup_regex(self, viewset: Any, lookup_prefix: str = "") -> str:
        if not hasattr(viewset, "lookup_value_regex"):
            name = viewset.lookup_url_kwarg or viewset.lookup_field
            return f"(?P<{lookup_prefix}{name}>{UUID_PATTERN})"
        return super().get_lookup_regex(viewset, lookup_prefix)


def by_first_word(patterns: Sequence[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """The same routes, of which a path is compared only with those that begin with its first word.

    Django compares it with one after another, a hundred before the last.
    """
    groups: dict[str, list[URLPattern]] = {}
    for route in _flat(patterns):
        word = re.match(r"\^?([\w-]+)", str(route.pattern))
        if word is None:
            raise ImproperlyConfigured(f"The route {route.pattern} begins with no word.")
        groups.setdefault(word.group(1), []).append(route)
    return [URLResolver(FirstWord(word), routes) for word, routes in groups.items()]  # type: ignore[arg-type]  # duck


def _flat(patterns: Sequence[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for each in patterns:
        if isinstance(each, URLPattern):
            yield each
        elif str(each.pattern) or each.namespace:
            raise ImproperlyConfigured(f"{each.pattern} is more than a list of routes.")
        else:
            yield from _flat(each.url_patterns)


class FirstWord:
    """As a resolver's pattern: takes nothing off the path, but lets in only those with this first word."""

    converters: ClassVar[dict[str, Any]] = {}
    regex = re.compile("")  # for `reverse()`

    def __init__(self, word: str) -> None:
        self.word = word

    def match(self, path: str) -> tuple[str, tuple[()], dict[str, Any]] | None:
        return (path, (), {}) if path.partition("/")[0] == self.word else None

    def check(self) -> list[Any]:
        return []

    def describe(self) -> str:
        return f"'{self.word}'"

    def __str__(self) -> str:
        return ""
