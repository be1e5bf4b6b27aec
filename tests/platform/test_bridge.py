"""The WSGI application behind an ASGI server, called as a server calls it."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from config.bridge import WSGIBridge

StartResponse = Callable[..., Any]
SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "scheme": "https",
    "http_version": "1.1",
    "path": "/caf\u00e9",
    "raw_path": b"/caf%C3%A9",
    "root_path": "",
    "query_string": b"a=1",
    "headers": [],
    "server": ("example.test", 443),
    "client": ("203.0.113.9", 4711),
}


def call(application: Any, *bodies: bytes, max_body_bytes: int = 100, **scope: Any) -> list[dict[str, Any]]:
    """The events that the bridge sends for one request whose body comes in these parts."""
    sent: list[dict[str, Any]] = []
    parts = list(bodies) or [b""]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    bridge = WSGIBridge(application, threads=1, max_body_bytes=max_body_bytes)
    request: Any = {**SCOPE, **scope}
    asyncio.run(bridge(request, receive, send))  # type: ignore[arg-type]  # plain dicts for ASGI's
    bridge.threads.shutdown()
    return sent


def answer(events: list[dict[str, Any]]) -> tuple[int, dict[bytes, bytes], bytes]:
    return events[0]["status"], dict(events[0]["headers"]), b"".join(event["body"] for event in events[1:])


def echo(environment: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response("201 Created", [("X-Path", environment["PATH_INFO"]), ("X-Address", environment["REMOTE_ADDR"])])
    return [environment["QUERY_STRING"].encode(), b" ", environment["wsgi.input"].read()]


def test_request_and_response_pass_through() -> None:
    status, headers, body = answer(call(echo, b"one ", b"two"))
    assert (status, body) == (201, b"a=1 one two")
    assert headers == {b"x-path": "/caf\u00e9".encode(), b"x-address": b"203.0.113.9", b"content-length": b"11"}


def test_headers_reach_the_application_as_wsgi_names_them() -> None:
    seen: dict[str, Any] = {}

    def look(environment: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        seen.update(environment)
        start_response("204 No Content", [])
        return []

    headers = [
        (b"host", b"example.test"),
        (b"content-type", b"application/json"),
        (b"content-length", b"999"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"accept", b"text/html"),
        (b"accept", b"application/json"),
        (b"x_forwarded_proto", b"https"),
    ]
    status, sent, _ = answer(call(look, b"12345", headers=headers))
    assert (status, sent) == (204, {})
    assert seen["HTTP_HOST"] == "example.test"
    assert seen["CONTENT_TYPE"] == "application/json"
    assert seen["CONTENT_LENGTH"] == "5"  # what was read, whatever was claimed
    assert seen["HTTP_COOKIE"] == "a=1; b=2"
    assert seen["HTTP_ACCEPT"] == "text/html,application/json"
    assert "HTTP_X_FORWARDED_PROTO" not in seen  # with underscores it could pose as the proxy's own header
    assert "HTTP_CONTENT_LENGTH" not in seen


def test_body_too_large_is_refused_before_the_application_runs() -> None:
    ran: list[bool] = []

    def never(environment: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        ran.append(True)
        return []

    status, headers, body = answer(call(never, b"x" * 60, b"x" * 60))
    assert (status, ran) == (413, [])
    assert headers[b"content-type"] == b"application/problem+json"
    assert b'"code":"payload_too_large"' in body


def test_file_too_large_for_the_admin_gets_a_page(settings: Any) -> None:
    settings.MAX_DOCUMENT_BYTES = 15 * 1024 * 1024
    status, headers, body = answer(call(echo, b"x" * 101, path="/admin/<b>/add/"))
    assert (status, headers[b"content-type"]) == (413, b"text/html; charset=utf-8")
    assert "at most 15.0\xa0MB" in body.decode()
    assert b'href="/admin/&lt;b&gt;/add/"' in body


def test_body_too_large_is_read_to_its_end_so_that_a_browser_shows_the_answer() -> None:
    """With bytes still unread, closing the connection would throw the answer away; but nobody sends for ever."""

    def read(*bodies: bytes) -> int:
        parts = [*bodies]
        received: list[bytes] = []

        async def receive() -> dict[str, Any]:
            received.append(parts.pop(0))
            return {"type": "http.request", "body": received[-1], "more_body": bool(parts)}

        async def send(event: dict[str, Any]) -> None:
            pass

        bridge = WSGIBridge(echo, threads=1, max_body_bytes=100)
        asyncio.run(bridge(SCOPE, receive, send))  # type: ignore[arg-type]  # plain dicts for ASGI's
        return len(received)

    assert read(b"x" * 90, b"x" * 90, b"x") == 3
    assert read(*[b"x" * 90] * 9) == 5


def test_client_that_leaves_while_sending_starts_nothing() -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(event: dict[str, Any]) -> None:
        pytest.fail(f"sent {event}")

    bridge = WSGIBridge(echo, threads=1, max_body_bytes=100)
    asyncio.run(bridge(SCOPE, gone, send))  # type: ignore[arg-type]  # plain dicts for ASGI's


class Streamed:
    streaming = True

    def __init__(self, parts: list[bytes]) -> None:
        self.parts, self.closed = parts, False

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.parts)

    def close(self) -> None:
        self.closed = True


def test_streamed_response_is_sent_part_by_part_and_closed() -> None:
    response = Streamed([b"one", b"two"])

    def stream(environment: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return response

    events = call(stream)
    assert [event.get("body") for event in events] == [None, b"one", b"two", b""]
    assert (events[-1]["more_body"], response.closed) == (False, True)


def test_client_that_leaves_while_a_stream_is_sent_ends_it_quietly() -> None:
    response = Streamed([b"one", b"two"])

    def stream(environment: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return response

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: dict[str, Any]) -> None:
        if event.get("body") == b"two":
            raise RuntimeError("the handler is closed")

    bridge = WSGIBridge(stream, threads=1, max_body_bytes=100)
    asyncio.run(bridge(SCOPE, receive, send))  # type: ignore[arg-type]  # plain dicts for ASGI's
    assert response.closed


def test_slow_reader_of_a_stream_holds_no_thread() -> None:
    def stream(environment: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Streamed([b"one", b"two"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def serve() -> list[dict[str, Any]]:
        bridge = WSGIBridge(stream, threads=1, max_body_bytes=100)
        stuck = asyncio.Event()
        sent: list[dict[str, Any]] = []

        async def never_read(event: dict[str, Any]) -> None:
            stuck.set()
            await asyncio.Future()

        async def read(event: dict[str, Any]) -> None:
            sent.append(event)

        slow = asyncio.create_task(bridge(SCOPE, receive, never_read))  # type: ignore[arg-type]  # plain dicts for ASGI's
        await stuck.wait()
        async with asyncio.timeout(5):
            await bridge(SCOPE, receive, read)  # type: ignore[arg-type]  # as above
        slow.cancel()
        bridge.threads.shutdown()
        return sent

    assert b"".join(event.get("body", b"") for event in asyncio.run(serve())) == b"onetwo"


def test_large_body_is_kept_on_disk_and_read_whole() -> None:
    _, _, body = answer(call(echo, b"x" * 1_500_000, b"y" * 1_500_000, max_body_bytes=4_000_000))
    assert len(body) == 3_000_000 + len(b"a=1 ")
