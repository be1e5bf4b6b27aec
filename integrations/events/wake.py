"""Tells listening processes through Redis that a practice has news. Only a hint: they look every few seconds anyway."""

import asyncio
import logging
import threading
from uuid import UUID

from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)

REDIS_TIMEOUT_SECONDS = 2.0
MESSAGE = {"type": "events.wake"}


def group_of(practice_id: UUID) -> str:
    """The channel layer's group of those who listen to this practice."""
    return f"events.{practice_id.hex}"


class Waker:
    """Publishes from a thread and an event loop of its own, so that no request waits for Redis, slow or gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[UUID] = set()

    def wake(self, practice_id: UUID) -> None:
        with self._lock:
            if practice_id in self._waiting:
                return
            self._waiting.add(practice_id)
            loop = self._loop = self._loop or self._start()
        asyncio.run_coroutine_threadsafe(self._publish(practice_id), loop)

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="events-waker", daemon=True).start()
        return loop

    async def _publish(self, practice_id: UUID) -> None:
        with self._lock:
            self._waiting.discard(practice_id)
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_SECONDS):
                await get_channel_layer().group_send(group_of(practice_id), MESSAGE)
        except Exception as error:
            # Whatever it is, listeners find the event when they look next.
            logger.warning("wake_not_published", extra={"error": type(error).__name__})


_waker = Waker()
wake = _waker.wake
