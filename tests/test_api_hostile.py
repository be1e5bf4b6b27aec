"""Every operation of the contract against hostile input: refused in the one shape, never a 5xx. New ones join in."""

import json
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from accounts.roles import Role
from config.api.docs import openapi
from practices.models import Practice
from tests.clients import MemberClient, client_for

BODIES = [
    b"",
    b"{",
    b"NaN",
    b"null",
    b"[]",
    b'"x"',
    b'{"a": "\\u0000"}',
    b'{"a": "\\ud800"}',
    b'{"a": "\xff"}',
    b'{"a": Infinity}',
    b"[" * 5000,
    b'{"a":' * 50 + b"1" + b"}" * 50,
]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    10**30,
    1.5,
    "",
    " ",
    "x",
    "x" * 20_000,
    "a\x7f\u202e",
    "0000-01-01",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "00000000-0000-0000-0000-000000000000",
    [],
    [[]],
    [None],
    ["x"] * 300,
    {},
    {"a": {}},
]
QUERY = [
    "\x00",
    "x",
    "-1",
    "9" * 40,
    "0000-01-01",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "'",
    "null",
]
QUERY += ["\ud7ff\U0001f600", "x" * 5000, ",", "1,2", "true", str(uuid4()), "[]", "%"]

OPERATIONS = sorted(
    (path, method)
    for path, item in openapi()["paths"].items()
    for method in ("get", "post", "patch", "delete")
    if method in item
)
WRITING = [(path, method) for path, method in OPERATIONS if method != "get"]


@pytest.fixture
def everyone(practice: Practice, settings: Settings) -> MemberClient:
    """Somebody with every role, so that little is refused before the input is looked at."""
    settings.RATELIMIT_ENABLE = False
    return client_for(list(Role.values), practice)


def check(response: Any, what: object) -> None:
    assert response.status_code < 500, (what, response.content[:300])
    if response.status_code >= 400:
        assert response["Content-Type"] == "application/problem+json", what
        assert {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"} <= set(response.json())
        assert response["X-Request-ID"] == response.json()["request_id"]


def send(client: MemberClient, method: str, url: str, body: bytes = b"", **options: Any) -> Any:
    return client.generic(method.upper(), url, body, "application/json", **options)  # type: ignore[arg-type]  # bytes too


def url_of(path: str) -> str:
    return "/".join(str(uuid4()) if part.startswith("{") else part for part in path.split("/"))


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    schemas: dict[str, Any] = openapi()["components"]["schemas"]
    if "$ref" in schema:
        return resolved(schemas[schema["$ref"].rsplit("/", 1)[1]])
    return resolved(schema["allOf"][0]) if "allOf" in schema else schema


def properties(path: str, method: str) -> dict[str, dict[str, Any]]:
    content = openapi()["paths"][path][method].get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    return {name: resolved(each) for name, each in resolved(schema).get("properties", {}).items()}


def sample(schema: dict[str, Any]) -> Any:
    """Something that might be right."""
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    formats = {"uuid": str(uuid4()), "date": "2027-05-03", "date-time": "2027-05-03T09:00:00Z", "email": "a@b.test"}
    values = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}, "string": "words"}
    return schema["enum"][0] if "enum" in schema else formats.get(schema.get("format", ""), values[kind])


@pytest.mark.parametrize(("path", "method"), WRITING)
def test_unreadable_bodies_are_refused(everyone: MemberClient, path: str, method: str) -> None:
    for body in BODIES:
        response = send(everyone, method, url_of(path), body)
        check(response, body)
        assert response.status_code >= 400 or body == b""
    large = send(everyone, method, url_of(path), b'"' + b"x" * 10 * 1024 * 1024 + b'"')
    assert large.status_code == 413
    check(large, "10 MB")


@pytest.mark.parametrize(("path", "method"), WRITING)
def test_wrong_values_are_refused(everyone: MemberClient, path: str, method: str) -> None:
    fields = properties(path, method)
    plausible = {name: sample(schema) for name, schema in fields.items()}
    bodies = [dict.fromkeys(fields, value) for value in VALUES]
    # Each field by itself meets a third of the values, its neighbours the others: every request costs milliseconds.
    bodies += [{**plausible, name: value} for i, name in enumerate(fields) for value in VALUES[i % 3 :: 3]]
    for body in bodies:
        response = send(everyone, method, url_of(path), json.dumps(body).encode())
        check(response, body)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_wrong_parameters_are_refused(everyone: MemberClient, path: str, method: str) -> None:
    named = [each["name"] for each in openapi()["paths"][path][method].get("parameters", []) if each["in"] == "query"]
    for name in named:
        for value in QUERY:
            query = urlencode({name: value})
            check(send(everyone, method, f"{url_of(path)}?{query}"), query)
    assert send(everyone, method, f"{url_of(path)}?unknown=1").status_code >= 400


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_odd_headers_are_refused(everyone: MemberClient, path: str, method: str) -> None:
    for name, value in [
        ("If-Match", "x"), ("If-Match", '"' * 3000), ("Idempotency-Key", ""), ("Idempotency-Key", "\xff" * 300),
        ("Accept", "text/html"), ("Accept", "\x00"), ("Authorization", "Bearer \x00"),
        ("Authorization", "Bearer x.y.z"), ("Authorization", "Basic eDp5"), ("X-Request-ID", "a\nb"),
        ("Accept-Language", "\xff"),
    ]:  # fmt: skip
        response = send(everyone, method, url_of(path), headers={name: value})
        check(response, (name, value))
