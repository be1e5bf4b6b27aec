"""Hostile and careless input: a refusal that says what is wrong, never a 5xx."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
URL = "/api/v1/echo"

HOSTILE = {
    "empty": b"",
    "not json": b"{",
    "nan": b'{"text": NaN}',
    "infinity": b'{"count": -Infinity}',
    "overflow": b'{"count": 1e999}',
    "nul": b'{"text": "a\\u0000b"}',
    "nul in key": b'{"a\\u0000b": 1}',
    "nul deep": b'{"text": [[{"x": "\\u0000"}]]}',
    "lone surrogate": b'{"text": "\\ud800"}',
    "invalid utf-8": b'{"text": "\xff\xfe"}',
    "surrogate bytes": b'{"text": "\xed\xa0\x80"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "deep list": b"[" * 100_000,
    "deep object": b'{"a":' * 900 + b"1" + b"}" * 900,
    "deeper than allowed": b"[" * 40 + b"]" * 40,
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "null": b"null",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_body_is_refused(nobody: Client, body: bytes) -> None:
    response = nobody.generic("POST", URL, body, "application/json")
    assert response.status_code == 400, response.content
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 10 * 1024 * 1024])
def test_large_body_is_413(nobody: Client, size: int) -> None:
    response = nobody.generic("POST", URL, b'{"text": "' + b"x" * size + b'"}', "application/json")
    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "x", "a" * 999]
)
def test_other_content_types_are_415(nobody: Client, kind: str) -> None:
    response = nobody.generic("POST", URL, b'{"text": "a"}', kind)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


def test_body_of_unknown_length_is_411(nobody: Client) -> None:
    response = nobody.generic("POST", URL, b"", "application/json", headers={"Transfer-Encoding": "chunked"})
    assert (response.status_code, response.json()["code"]) == (411, "length_required")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*", "x", "application/json;q="])
def test_accept_of_something_else_is_406(nobody: Client, accept: str) -> None:
    response = nobody.get(URL, headers={"Accept": accept})
    assert response.status_code in {200, 406}
    assert (response.status_code == 200) == accept.startswith("application/json")


VALUES: dict[str, list[object]] = {
    "text": [1, 1.5, True, [], {}, "x" * 11, "", "   ", "a\x00b", "a\nb", "a\x1b", "a\u2028", None],
    "lines": [7, "a\x07", "\x7f"],
    "count": ["1", 1.0, True, 1.5, [], None, 1e30],
    "flag": [1, 0, "true", "yes", None, []],
    "on": ["0000-01-01", "2027-02-30", "20270101", "2027-W01-1", "2027-1-1", 5, "10000-01-01", "٢٠٢٧-01-01", "", None],
    "at": [
        "2027-01-01", "2027-01-01T10:00", "2027-01-01T10:00:00", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:00:00-10:00", "2027-01-01 10:00:00Z", "2027-01-01T25:00:00Z", "2027-01-01T10:00:00+99:00", 1, [],
    ],
    "time": ["25:00", "9:00", "09:00Z", "09:00:00.5", 9, "0900"],
    "id": [1, "x", "", [], "00000000-0000-0000-0000-00000000000g", -1],
    "kind": ["c", "", 1, [], {}, True, None],
    "price": [1, "1 USD", {}, {"amount": 1}, {"amount": 1.5, "currency": "USD"}, {"amount": "1", "currency": "USD"},
        {"amount": True, "currency": "USD"}, {"amount": 1, "currency": "usd"}, {"amount": -1, "currency": "USD"},
        {"amount": 10**15, "currency": "USD"}, {"amount": 1, "currency": "USD", "x": 1},
        {"amount": 1, "currency": None}],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in VALUES.items() for value in values])
def test_wrong_value_is_refused_on_its_field(nobody: Client, name: str, value: object) -> None:
    response = nobody.post(URL, {"text": "a", name: value}, "application/json")
    assert response.status_code == 400, response.content
    errors = response.json()["errors"]
    if response.json()["code"] != "malformed_request":
        assert [error["pointer"] for error in errors] == [f"/{name}"]


def test_right_values_are_taken(nobody: Client) -> None:
    body = {
        "text": " Zoë ",
        "lines": "a\n\tb",
        "count": -3,
        "flag": False,
        "on": "2028-02-29",
        "at": "2027-03-14T09:30:00.123456789-04:00",
        "time": "09:30",
        "id": "01A20474-7afb-75e0-9817-5cc428908d3a",
        "kind": "a",
        "price": {"amount": 1250, "currency": "EUR"},
    }
    assert nobody.post(URL, body, "application/json").json() == {
        "text": "Zoë",
        "lines": "a\n\tb",
        "count": "-3",
        "flag": "False",
        "on": "2028-02-29",
        "at": "2027-03-14 13:30:00.123456+00:00",
        "time": "09:30:00",
        "id": "01a20474-7afb-75e0-9817-5cc428908d3a",
        "kind": "a",
        "amount": "1250",
        "currency": "EUR",
    }


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/locations/", "/api/v2/locations"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_unknown_path_is_404_whatever_the_method(nobody: Client, path: str, method: str) -> None:
    response = nobody.generic(method, path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert response.json()["instance"] == path
    assert "RateLimit" in response


@pytest.mark.parametrize("key", ["7", "x", "01a20474", "01a20474-7afb-75e0-9817-5cc428908d3", "%00", "'; DROP TABLE"])
def test_malformed_id_in_a_path_is_404(client: Client, key: str) -> None:
    assert client.get(f"/api/v1/locations/{key}").json()["code"] == "not_found"


def test_defect_is_a_500_that_tells_nothing(nobody: Client, caplog: pytest.LogCaptureFixture) -> None:
    nobody.raise_request_exception = False
    response = nobody.get("/api/v1/broken")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert b"secret" not in response.content


def test_csrf_failure_below_api_is_a_problem(rf: object) -> None:
    from django.test import RequestFactory

    from config.api.handlers import csrf_failure

    assert isinstance(rf, RequestFactory)
    assert csrf_failure(rf.post("/api/v1/x"))["Content-Type"] == "application/problem+json"
    assert csrf_failure(rf.post("/admin/"))["Content-Type"].startswith("text/html")


def test_unknown_host_is_a_problem(nobody: Client) -> None:
    response = nobody.get(URL, headers={"Host": "evil.example"})
    assert (response.status_code, response.json()["code"]) == (400, "malformed_request")
