"""The API's routes, read off the URL resolver, so that sweeps cover new ones by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import get_resolver

from config.api.views import UnknownPath

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
BASE = "api/v1"


@dataclass(frozen=True)
class Route:
    """`path` is below the API's base, with its parameters in braces: `/patients/{patient_id}/contacts/{pk}`."""

    method: str
    path: str
    view: Any
    action: str
    """The viewset's action; of a plain view the method in lower case."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    def url(self, **parameters: object) -> str:
        return f"/{BASE}{self.path.format(**parameters)}"


def api_routes() -> dict[str, Route]:
    """`METHOD /path` -> the route, of everything under /api but the answer to unknown paths."""
    found = {}
    for path, callback in _walk(get_resolver().url_patterns):
        view = getattr(callback, "cls", None)
        if not path.startswith("/api") or view is UnknownPath:
            continue
        assert view is not None, f"{path}: what is under /api is a view of REST framework"
        actions = getattr(callback, "actions", None) or _methods_of(view)
        for method, action in actions.items():
            route = Route(method.upper(), path.removeprefix(f"/{BASE}"), view, action)
            if route.method in METHODS:
                found[str(route)] = route
    return found


def other_paths() -> set[str]:
    """What is neither under /api nor a page of the admin."""
    return {path for path, _ in _walk(get_resolver().url_patterns) if not path.startswith(("/api", "/admin/"))}


def _methods_of(view: Any) -> dict[str, str]:
    return {name: name for name in view.http_method_names if hasattr(view, name)}


def _walk(patterns: Any, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = prefix + _plain(str(pattern.pattern))
        if hasattr(pattern, "url_patterns"):
            yield from _walk(pattern.url_patterns, path)
        else:
            yield path, pattern.callback


def _plain(pattern: str) -> str:
    """Both of Django's ways to write a parameter as `{name}`."""
    named = re.sub(r"\(\?P<(\w+)>[^()]*\)", r"{\1}", pattern.removeprefix("^").removesuffix("$"))
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", named)
