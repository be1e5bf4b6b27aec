"""A vendor's stand-in: real HTTP on loopback, in a thread, enforcing the rules the vendor publishes."""

import json
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl


@dataclass
class Request:
    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Response:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0


class Counterpart(ABC):
    """Start it with `with`; `requests` holds what came in, `answer_next` queues an outage or a limit."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer_next: list[Response] = []
        self.stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @abstractmethod
    def respond(self, request: Request) -> Response:
        """The vendor's answer."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answer_next.pop(0) if self.answer_next else self.respond(request)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        counterpart = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                response = counterpart.answer(Request(self.command, self.path, self.headers, body))
                counterpart.stopping.wait(response.delay)
                content = b"" if response.body is None else json.dumps(response.body).encode()
                self.send_response(response.status)
                for name, value in ({"Content-Type": "application/json"} | response.headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = handle_any

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the requests are kept on the counterpart."""

        return Handler
