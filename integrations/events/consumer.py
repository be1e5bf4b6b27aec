"""`WS /ws/v1/events?ticket=`: the practice's events as they are committed.

The client may send `{"resume": seq}` to be sent what came after an event it has seen. The server sends events; a
`heartbeat` with the number up to which the client has been sent all it may hear of; and `reset` when a client names an
event that never was (a restored backup): it should load its data anew.
Close codes: 4401 the ticket or the login is no good (any more), 4403 wrong origin or nothing to hear in this role,
4408 the client takes nothing, 1003/1008/1009 a message we don't know, 1013 try again later.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import orjson
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, WebSocketScope
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from integrations.events import feed, log
from integrations.events.feed import in_thread
from integrations.events.origin import origin_allowed
from integrations.events.querysets import subjects_heard_by
from integrations.events.tickets import Admission, redeem
from patients.access import MAY_BE_LET_IN

logger = logging.getLogger(__name__)

PATH = "/ws/v1/events"
MAX_MESSAGE_CHARACTERS = 200
MAX_SEQ = 2**63 - 1
BAD_TICKET = 4401
REFUSED = 4403
TOO_SLOW = 4408
NOT_TEXT, NOT_KNOWN, TOO_BIG, FAILED = 1003, 1008, 1009, 1011
MAX_RESUMES = 20
"""In a connection's life; a client needs one."""


class BadMessage(ValueError):
    """Something a client sent that isn't in the contract; `code` closes the connection."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def resume_position(text: str | None) -> int:
    """The number in a client's `{"resume": seq}`; raises BadMessage for anything else."""
    if text is None:
        raise BadMessage(NOT_TEXT)
    if len(text) > MAX_MESSAGE_CHARACTERS:
        raise BadMessage(TOO_BIG)
    try:
        message = orjson.loads(text)
    except ValueError:
        raise BadMessage(NOT_KNOWN) from None
    seq = message["resume"] if isinstance(message, dict) and message.keys() == {"resume"} else None
    if type(seq) is not int or not 0 <= seq <= MAX_SEQ:
        raise BadMessage(NOT_KNOWN)
    return seq


class EventsConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels ships no types
    """Sends from where the client is, not from a queue of its own: a slow client costs no memory, and falls behind."""

    channel_layer_alias = None  # the feed listens to it, once for all clients

    listener: feed.Listener
    feed: feed.Feed
    position = 0
    """The last event that the client has been sent, or needn't be."""
    stream: asyncio.Task[None] | None = None
    closing: asyncio.Task[None] | None = None
    resumes = 0

    async def connect(self) -> None:
        """Refuses after accepting, since a browser isn't told the code of a connection that never was."""
        self.resumed = asyncio.Event()
        ticket = self._take_ticket()
        await self.accept()
        if not origin_allowed(self.scope["headers"]):
            self.end(REFUSED)
            return
        try:
            admission = await in_thread(redeem)(ticket)
        except DatabaseError as error:
            logger.warning("events_without_database", extra={"error": type(error).__name__})
            self.end(feed.TRY_AGAIN_LATER)
            return
        if admission is None:
            self.end(BAD_TICKET)
        elif not subjects_heard_by(admission.roles):
            self.end(REFUSED)
        else:
            await self._join(admission)

    async def _join(self, admission: Admission) -> None:
        self.listener = feed.Listener(admission, self.end, admission.roles)
        self.feed = await feed.join(self.listener)
        self.position = self.feed.position or 0
        if self.closing is None:
            self.stream = asyncio.create_task(self._stream())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.closing is not None:
            return
        try:
            self.position = await self._checked(resume_position(text_data))
        except BadMessage as bad:
            self.end(bad.code)
        except TimeoutError:
            self.end(TOO_SLOW)
        except (DatabaseError, OSError):
            self.end(feed.TRY_AGAIN_LATER)
        self.resumed.set()
        self.listener.news.set()

    async def disconnect(self, code: int) -> None:
        self._leave()

    def end(self, code: int) -> None:
        """Closes, whatever the stream is waiting for just now. Called by the feed too."""
        if self.closing is None:
            self._leave()
            self.closing = asyncio.create_task(self._close(code))

    def _leave(self) -> None:
        if self.stream is not None and self.stream is not asyncio.current_task():
            self.stream.cancel()
        if hasattr(self, "listener"):
            feed.leave(self.listener)

    async def _close(self, code: int) -> None:
        with suppress(OSError):  # the client is gone already
            await self.close(code)

    def _take_ticket(self) -> str:
        """Out of the scope's query string too, which the server logs."""
        query: dict[str, list[str]] = parse_qs(self.scope["query_string"].decode("latin-1"))
        self.scope["query_string"] = b""
        return query.get("ticket", [""])[0]

    async def _checked(self, seq: int) -> int:
        """The position to go on from. For one beyond our newest event the client is told to start anew."""
        self.resumes += 1
        if self.resumes > MAX_RESUMES:
            raise BadMessage(NOT_KNOWN)
        newest = self.feed.position or 0
        if seq > newest:  # another process may have been quicker than our feed
            newest = await in_thread(feed.newest)(self.listener.admission.practice_id)
        if seq > newest:
            await self._put({"type": "reset", "seq": newest, "at": timezone.now()})
        return min(seq, newest)

    async def _stream(self) -> None:
        try:
            await self._wait_for_resume()
            while True:
                await self._send_what_is_new()
        except TimeoutError:
            self.end(TOO_SLOW)
        except OSError:
            pass  # the client went away while something was sent
        except DatabaseError as error:
            logger.warning("events_without_database", extra={"error": type(error).__name__})
            self.end(feed.TRY_AGAIN_LATER)
        except Exception:
            logger.exception("events_stream_failed")
            self.end(FAILED)

    async def _wait_for_resume(self) -> None:
        """A moment for the client to say where it was: events sent before that would come twice."""
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.EVENTS_RESUME_SECONDS):
                await self.resumed.wait()

    async def _send_what_is_new(self) -> None:
        """Everything up to the newest event, then waits for more; a heartbeat when nothing comes."""
        while events := await self.feed.events_after(self.position):
            await self._send_events(events)
        try:
            async with asyncio.timeout(settings.EVENTS_HEARTBEAT_SECONDS):
                await self.listener.news.wait()
            self.listener.news.clear()
        except TimeoutError:
            await self._put({"type": "heartbeat", "seq": self.position, "at": timezone.now()})

    async def _send_events(self, events: list[log.Event]) -> None:
        for event in events:
            position = self.position
            if await self._hears_of(event):
                await self._put(event.payload())
            if self.position != position:
                return  # the client asked to go elsewhere meanwhile
            self.position = event.seq

    async def _hears_of(self, event: log.Event) -> bool:
        roles = self.listener.roles
        if not event.visible_to(roles):
            return False
        if not event.hides_from(roles):
            return True
        return bool(MAY_BE_LET_IN.intersection(roles)) and await in_thread(feed.is_let_in)(self.listener, event)

    async def _put(self, message: dict[str, object]) -> None:
        async with asyncio.timeout(settings.EVENTS_SEND_SECONDS):
            await self.send(text_data=orjson.dumps(message, option=orjson.OPT_UTC_Z).decode())


_consumer: Any = EventsConsumer.as_asgi()


async def websocket(scope: WebSocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """The ASGI application for WebSockets: this one path, a refusal (HTTP 403) for every other."""
    if scope["path"] == PATH:
        await _consumer(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": REFUSED, "reason": ""})
