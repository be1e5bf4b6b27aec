"""One practice's events inside this process: read once, for however many listen.

PostgreSQL is asked every `EVENTS_POLL_SECONDS` and at once when Redis says that there is news; the same look asks
which of the listening logins are still good.
"""

import asyncio
import logging
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import ParamSpec, TypeVar
from uuid import UUID, uuid4

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError

from integrations.events import log
from integrations.events.access import roles_of_sessions
from integrations.events.querysets import subjects_heard_by
from integrations.events.tickets import Admission
from integrations.events.wake import group_of
from practices.tenancy import Actor, practice_scope

logger = logging.getLogger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")

BATCH = 500
RECENT = 1000
"""Events kept in memory; who is further behind reads from PostgreSQL."""
PAUSE_SECONDS = 0.02
"""Between two looks, so that a burst of commits is one look."""
ACCESS_ENDED = 4401
NOTHING_TO_HEAR = 4403
TRY_AGAIN_LATER = 1013
ACTOR = Actor.system("events")


@dataclass(eq=False, slots=True)
class Listener:
    """A connection as the feed knows it. `end` is called, with a close code, when it may listen no longer."""

    admission: Admission
    end: Callable[[int], None]
    roles: tuple[str, ...]
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the database found."""

    position: int
    events: list[log.Event]
    roles: dict[UUID, tuple[str, ...]]


def look(practice_id: UUID, after: int | None, session_ids: Collection[UUID]) -> Look:
    """Events after a position (None: only find the newest) and the roles of those sessions that are still good."""
    with practice_scope(practice_id, actor=ACTOR):
        roles = roles_of_sessions(session_ids)
        if after is None:
            return Look(log.last_seq(), [], roles)
        events = log.read(after=after, limit=BATCH)
        return Look(events[-1].seq if events else after, events, roles)


def read(practice_id: UUID, after: int) -> list[log.Event]:
    with practice_scope(practice_id, actor=ACTOR):
        return log.read(after=after, limit=BATCH)


def newest(practice_id: UUID) -> int:
    with practice_scope(practice_id, actor=ACTOR):
        return log.last_seq()


def is_let_in(listener: "Listener", event: log.Event) -> bool:
    """Asked for each event about a restricted patient: being let in ends after an hour."""
    actor = Actor.user(listener.admission.user_id, listener.roles)
    with practice_scope(listener.admission.practice_id, actor=actor):
        return log.is_let_in(event, actor)


def in_thread(function: Callable[_P, _T]) -> Callable[_P, Awaitable[_T]]:
    """Runs it on any free thread: on asgiref's usual single one, connections would wait for each other's queries."""
    wrapped: Callable[_P, Awaitable[_T]] = database_sync_to_async(function, thread_sensitive=False)
    return wrapped


class Feed:
    def __init__(self, practice_id: UUID) -> None:
        self.practice_id = practice_id
        self.position: int | None = None
        self.ready = asyncio.Event()
        self.recent: deque[log.Event] = deque()
        self._forgotten = 0
        self.listeners: set[Listener] = set()
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._hear())]

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def events_after(self, position: int) -> list[log.Event]:
        """Some of the next events, from memory if they are still there; empty at the end."""
        if self.position is None or position >= self.position:
            return []
        if position >= self._forgotten:
            start = bisect_right(self.recent, position, key=attrgetter("seq"))
            return list(islice(self.recent, start, start + BATCH))
        return await in_thread(read)(self.practice_id, position)

    async def _follow(self) -> None:
        try:
            while True:
                while await self._look() == BATCH:
                    pass
                await asyncio.sleep(PAUSE_SECONDS)
                try:
                    async with asyncio.timeout(settings.EVENTS_POLL_SECONDS):
                        await self._woken.wait()
                except TimeoutError:
                    pass
        except DatabaseError as error:
            logger.warning("events_without_database", extra={"error": type(error).__name__})
            self._end_all(TRY_AGAIN_LATER)
        except Exception:
            logger.exception("events_feed_failed")
            self._end_all(TRY_AGAIN_LATER)

    async def _look(self) -> int:
        """Returns how many events it found."""
        self._woken.clear()
        asked = {listener: listener.admission.session_id for listener in self.listeners}
        found = await in_thread(look)(self.practice_id, self.position, set(asked.values()))
        self._take(found)
        self.ready.set()
        for listener, session_id in asked.items():
            if listener in self.listeners:
                self._judge(listener, found.roles.get(session_id, ()))
        return len(found.events)

    def _take(self, found: Look) -> None:
        if self.position is None:
            self._forgotten = found.position
        for event in found.events:
            if len(self.recent) == RECENT:
                self._forgotten = self.recent.popleft().seq
            self.recent.append(event)
        self.position = found.position
        for listener in self.listeners if found.events else ():
            listener.news.set()

    def _judge(self, listener: Listener, roles: tuple[str, ...]) -> None:
        listener.roles = roles
        if not roles:
            listener.end(ACCESS_ENDED)
        elif not subjects_heard_by(roles):
            listener.end(NOTHING_TO_HEAR)

    def _end_all(self, code: int) -> None:
        if _feeds.get(self.practice_id) is self:
            del _feeds[self.practice_id]
        self.ready.set()
        for listener in list(self.listeners):
            listener.end(code)
        self.stop()

    async def _hear(self) -> None:
        """Waits for wake-ups; while Redis is away, tries again now and then and leaves the rest to looking."""
        while True:
            try:
                await self._hear_until_failure()
            except Exception as error:
                logger.warning("events_without_redis", extra={"error": type(error).__name__})
            await asyncio.sleep(10 * settings.EVENTS_POLL_SECONDS)

    async def _hear_until_failure(self) -> None:
        layer = get_channel_layer()
        channel = await layer.new_channel(f"events.{uuid4().hex}.")
        await layer.group_add(group_of(self.practice_id), channel)
        try:
            while True:
                self._woken.set()  # at first for what came before we could hear of it
                await layer.receive(channel)
        finally:
            with suppress(Exception):  # what was subscribed may be left so: nobody reads the channel any more
                async with asyncio.timeout(1):
                    await layer.group_discard(group_of(self.practice_id), channel)


_feeds: dict[UUID, Feed] = {}


async def join(listener: Listener) -> Feed:
    """The practice's feed, with the listener in it and its first look done."""
    practice_id = listener.admission.practice_id
    feed = _feeds.get(practice_id)
    if feed is None:
        feed = _feeds[practice_id] = Feed(practice_id)
        feed.start()
    feed.listeners.add(listener)
    await feed.ready.wait()
    return feed


def leave(listener: Listener) -> None:
    """Takes the listener out of its feed, which ends with its last one."""
    feed = _feeds.get(listener.admission.practice_id)
    if feed is None:
        return
    feed.listeners.discard(listener)
    if not feed.listeners:
        del _feeds[listener.admission.practice_id]
        feed.stop()
