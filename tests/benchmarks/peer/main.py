"""The ASGI application, with what the replaced slice does around every request: an id and a log line."""

import logging
import sys
import time
import uuid
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.benchmarks.peer import appointments, booking, login, patients

log = logging.getLogger("peer")
log.addHandler(logging.StreamHandler(sys.stderr))
log.setLevel(logging.INFO)


class RequestLog:
    """A request id in and out, and one JSON line about how the request ended."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        headers = dict(scope["headers"])
        request_id = headers.get(b"x-request-id", b"").decode("latin-1") or str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode("latin-1")))
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            elapsed = round((time.perf_counter() - started) * 1000, 1)
            line: dict[str, Any] = {"event": "request", "method": scope["method"], "path": scope["path"]}
            line |= {"status": status, "duration_ms": elapsed, "request_id": request_id}
            log.info(orjson.dumps(line).decode())


app = FastAPI(title="Peer")
app.add_middleware(RequestLog)
for module in (patients, appointments, booking, login):
    app.include_router(module.router)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}
