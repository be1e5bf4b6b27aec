"""Serves the WSGI application from an ASGI server, so that HTTP and WebSockets share one process and one origin.

Django's own ASGI handler costs a sync view and its sync middleware 5 to 30 times as much, because it changes threads
at every step; here a request is read, runs on one thread from start to end, and is sent. See docs/decisions.
"""

import asyncio
import json
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope

WSGIEnvironment = dict[str, Any]
WSGIApplication = Callable[[WSGIEnvironment, Any], Iterable[bytes]]
IN_MEMORY_BYTES = 1024 * 1024
DISCARDED = 4
"""Up to so many times the longest body is received and dropped: a browser shows an answer only after sending."""

T = TypeVar("T")


class BodyTooLarge(Exception):
    """The request's body is longer than the server takes."""


class ClientGone(Exception):
    """The client left while a response was sent to it."""


class WSGIBridge:
    """An ASGI application for `http` scopes that runs a WSGI application on `threads` threads.

    Bodies up to `max_body_bytes` are read before the application starts (beyond 1 MiB onto disk), so that a slow sender
    holds no thread; longer ones get 413, below /admin/ as a page. Streamed responses are sent as they are produced.
    """

    def __init__(self, application: WSGIApplication, *, threads: int, max_body_bytes: int) -> None:
        self.application = application
        self.max_body_bytes = max_body_bytes
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="request")

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        with SpooledTemporaryFile(IN_MEMORY_BYTES) as body:
            try:
                length = await self._read_body(receive, body)
            except BodyTooLarge:
                await _refuse_body(scope, send)
                return
            except ConnectionError:
                return
            exchange = _Exchange(self.application, wsgi_environment(scope, body, length))
            await self._on_thread(exchange.run)
            if exchange.content is not None:
                await _send_whole(send, exchange.status, exchange.headers, exchange.content)
            else:
                await self._stream(exchange, send)

    async def _stream(self, exchange: "_Exchange", send: ASGISendCallable) -> None:
        """Part by part, as they are taken. Waiting for a slow reader holds no thread: a few of them would hold all."""
        head = {"type": "http.response.start", "status": exchange.status, "headers": exchange.headers}
        try:
            await _put(send, {**head, "trailers": False})
            while (chunk := await self._on_thread(exchange.next_chunk)) is not None:
                await _put(send, {"type": "http.response.body", "body": chunk, "more_body": True})
            await _put(send, {"type": "http.response.body", "body": b"", "more_body": False})
        except ClientGone:
            pass
        finally:
            await self._on_thread(exchange.close)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    async def _read_body(self, receive: ASGIReceiveCallable, body: "SpooledTemporaryFile[bytes]") -> int:
        length = 0
        more = True
        while more:
            event = await receive()
            if event["type"] != "http.request":
                raise ConnectionError("The client went away.")
            length += len(event["body"])
            if length > DISCARDED * self.max_body_bytes:
                raise BodyTooLarge
            if length <= self.max_body_bytes:
                body.write(event["body"])
            more = event["more_body"]
        if length > self.max_body_bytes:
            raise BodyTooLarge
        body.seek(0)
        return length


class _Exchange:
    """One request. `run` leaves either the whole `content`, or None and the chunks of a streamed response."""

    def __init__(self, application: WSGIApplication, environment: WSGIEnvironment) -> None:
        self.application, self.environment = application, environment
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.content: bytes | None = None
        self._response: Iterable[bytes] = ()
        self._chunks: Iterator[bytes] = iter(())

    def run(self) -> None:
        self._response = self.application(self.environment, self._start_response)
        if getattr(self._response, "streaming", False):
            self._chunks = iter(self._response)
            return
        try:
            self.content = b"".join(self._response)
        finally:
            self.close()

    def next_chunk(self) -> bytes | None:
        """Of a streamed response; None at its end."""
        return next(self._chunks, None)

    def close(self) -> None:
        if hasattr(self._response, "close"):
            self._response.close()

    def _start_response(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        self.status = int(status.split(" ", 1)[0])
        self.headers = [(name.lower().encode("latin-1"), value.strip().encode("latin-1")) for name, value in headers]


async def _put(send: ASGISendCallable, event: Any) -> None:
    try:
        await send(event)
    except (OSError, RuntimeError) as error:  # uvicorn writes to a connection that was closed a moment ago
        raise ClientGone from error


async def _refuse_body(scope: HTTPScope, send: ASGISendCallable) -> None:
    content_type, body = _refusal(scope)
    headers = [
        (b"content-type", content_type),
        (b"content-security-policy", b"default-src 'none'; style-src 'self'"),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    await _send_whole(send, 413, headers, body)


def _refusal(scope: HTTPScope) -> tuple[bytes, bytes]:
    from django.conf import settings  # here, when the server has loaded them
    from django.template.loader import render_to_string

    from config.api.problem import PayloadTooLarge

    if scope["path"].startswith("/admin/"):
        page = render_to_string("413.html", {"most": settings.MAX_DOCUMENT_BYTES, "path": scope["path"]})
        return b"text/html; charset=utf-8", page.encode()
    problem = {**PayloadTooLarge().as_json(None), "instance": scope["path"], "request_id": str(uuid.uuid4())}
    return b"application/problem+json", json.dumps(problem, separators=(",", ":")).encode()


async def _send_whole(send: ASGISendCallable, status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
    if not any(name == b"content-length" for name, _ in headers) and status >= 200 and status not in {204, 304}:
        headers = [*headers, (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": content, "more_body": False})


def wsgi_environment(scope: HTTPScope, body: "SpooledTemporaryFile[bytes]", length: int) -> WSGIEnvironment:
    """PEP 3333's environment of an ASGI scope; header names with underscores are dropped, they could pose as others."""
    host, port = scope["server"] or ("localhost", 80)
    environment: MutableMapping[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope["root_path"],
        "PATH_INFO": scope["path"].removeprefix(scope["root_path"]).encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "CONTENT_LENGTH": str(length),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        if name == "CONTENT_TYPE":
            environment[name] = value
        elif name != "CONTENT_LENGTH" and b"_" not in raw_name:
            key = f"HTTP_{name}"
            joiner = "; " if name == "COOKIE" else ","
            environment[key] = f"{environment[key]}{joiner}{value}" if key in environment else value
    return dict(environment)
