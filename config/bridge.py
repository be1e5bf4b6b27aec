"""Serves the WSGI application from an ASGI server, so that HTTP and WebSockets share one process and one origin.

Django's own ASGI handler costs a sync view and its sync middleware 5 to 30 times as much, because it changes threads
at every step; here a request is read, runs on one thread from start to end, and is sent. See docs/decisions.
"""

import asyncio
import json
import sys
import uuid
from collections.abc import Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from tempfile import SpooledTemporaryFile
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope

WSGIEnvironment = dict[str, Any]
WSGIApplication = Callable[[WSGIEnvironment, Any], Iterable[bytes]]
IN_MEMORY_BYTES = 1024 * 1024


class BodyTooLarge(Exception):
    """The request's body is longer than the server takes."""


class WSGIBridge:
    """An ASGI application for `http` scopes that runs a WSGI application on `threads` threads.

    Bodies up to `max_body_bytes` are read before the application starts (beyond 1 MiB onto disk), so that a slow sender
    holds no thread; longer ones get 413. Streamed responses are sent as they are produced.
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
            exchange = _Exchange(self.application, wsgi_environment(scope, body, length), send)
            await asyncio.get_running_loop().run_in_executor(self.threads, exchange.run, asyncio.get_running_loop())
            if exchange.content is not None:
                await _send_whole(send, exchange.status, exchange.headers, exchange.content)

    async def _read_body(self, receive: ASGIReceiveCallable, body: "SpooledTemporaryFile[bytes]") -> int:
        length = 0
        more = True
        while more:
            event = await receive()
            if event["type"] != "http.request":
                raise ConnectionError("The client went away.")
            length += len(event["body"])
            if length > self.max_body_bytes:
                raise BodyTooLarge
            body.write(event["body"])
            more = event["more_body"]
        body.seek(0)
        return length


class _Exchange:
    """One request on its thread. `content` is None once a streamed response was sent from here."""

    def __init__(self, application: WSGIApplication, environment: WSGIEnvironment, send: ASGISendCallable) -> None:
        self.application, self.environment, self.send = application, environment, send
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.content: bytes | None = None

    def run(self, loop: asyncio.AbstractEventLoop) -> None:
        response = self.application(self.environment, self._start_response)
        try:
            if getattr(response, "streaming", False):
                self._stream(response, loop)
            else:
                self.content = b"".join(response)
        finally:
            if hasattr(response, "close"):
                response.close()

    def _start_response(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        self.status = int(status.split(" ", 1)[0])
        self.headers = [(name.lower().encode("latin-1"), value.strip().encode("latin-1")) for name, value in headers]

    def _stream(self, chunks: Iterable[bytes], loop: asyncio.AbstractEventLoop) -> None:
        """Wait for each part to be taken, so that a slow reader doesn't fill the memory."""

        def deliver(event: Any) -> None:
            asyncio.run_coroutine_threadsafe(_awaited(self.send, event), loop).result()

        deliver({"type": "http.response.start", "status": self.status, "headers": self.headers, "trailers": False})
        for chunk in chunks:
            deliver({"type": "http.response.body", "body": chunk, "more_body": True})
        deliver({"type": "http.response.body", "body": b"", "more_body": False})


async def _awaited(send: ASGISendCallable, event: Any) -> None:
    await send(event)


async def _refuse_body(scope: HTTPScope, send: ASGISendCallable) -> None:
    from config.api.problem import PayloadTooLarge  # needs Django's settings, which the server has loaded by now

    problem = {**PayloadTooLarge().as_json(None), "instance": scope["path"], "request_id": str(uuid.uuid4())}
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await _send_whole(send, 413, headers, json.dumps(problem, separators=(",", ":")).encode())


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
