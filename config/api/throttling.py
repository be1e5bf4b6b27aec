"""Rate limits, counted by django-ratelimit on Redis so that they hold across processes.

Without Redis ordinary requests go on unlimited, and limits on logging in are counted in PostgreSQL.
"""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

from config.api.attempts import count_attempt
from config.api.client import address_group, client_address
from config.api.devices import known_device
from config.api.problem import RateLimited

logger = structlog.get_logger(__name__)

REDIS_RETRY_SECONDS = 2.0


@dataclass(frozen=True)
class Limit:
    """One thing counted: `name` is a key of settings.RATE_LIMITS, `value` whom it is counted for."""

    name: str
    value: str
    closed: bool = False  # still enforced, by PostgreSQL, when Redis is down

    @property
    def rate(self) -> str:
        return str(settings.RATE_LIMITS[self.name])


@dataclass(frozen=True)
class Usage:
    name: str
    limit: int
    window: int
    count: int
    reset: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.count)

    @property
    def exceeded(self) -> bool:
        return self.count > self.limit


def user_limit(user_id: object) -> Limit:
    return Limit("user", str(user_id))


def anonymous_limit(request: HttpRequest) -> Limit:
    return Limit("anonymous", address_group(client_address(request)))


def auth_limits(request: HttpRequest, account: str | None, device_token: str = "") -> list[Limit]:
    """Per address and per account, whose name is only kept as a hash; for a device that the account knows, per device,
    so that neither strangers nor neighbours behind one address keep its people out.
    """
    address = Limit("auth_address", address_group(client_address(request)), closed=True)
    if not account:
        return [address]
    digest = hashlib.sha256(account.strip().casefold().encode(errors="replace")).hexdigest()
    if device := known_device(request, account, device_token):
        return [Limit("auth_account", f"{digest}:{device}", closed=True)]
    return [address, Limit("auth_account", digest, closed=True)]


def consume(request: HttpRequest, limits: Iterable[Limit]) -> list[Usage]:
    """Counts the request against each limit in turn; stops at the first that is used up."""
    usages = []
    for limit in limits:
        usage = _count(request, limit)
        if usage is not None:
            usages.append(usage)
            if usage.exceeded:
                break
    return usages


def refuse_exceeded(usages: Iterable[Usage]) -> None:
    for usage in usages:
        if usage.exceeded:
            raise RateLimited(usage.reset, again=usage.count > usage.limit + 1)


def headers(usages: list[Usage]) -> dict[str, str]:
    """The IETF draft's two structured fields."""
    if not usages:
        return {}
    policy = ", ".join(f'"{usage.name}";q={usage.limit};w={usage.window}' for usage in usages)
    state = ", ".join(f'"{usage.name}";r={usage.remaining};t={usage.reset}' for usage in usages)
    return {"RateLimit-Policy": policy, "RateLimit": state}


class RedisBreaker:
    """After a failure Redis is left alone for a moment, so that requests don't each wait for its time-out."""

    def __init__(self) -> None:
        self._closed_again_at = 0.0

    def open(self) -> bool:
        return time.monotonic() < self._closed_again_at

    def trip(self) -> None:
        self._closed_again_at = time.monotonic() + REDIS_RETRY_SECONDS

    def reset(self) -> None:
        self._closed_again_at = 0.0


breaker = RedisBreaker()


def _count(request: HttpRequest, limit: Limit) -> Usage | None:
    """None when limits are turned off, or when Redis is down and the limit may stay open."""
    if not settings.RATELIMIT_ENABLE:
        return None
    maximum, window = parse_rate(limit.rate)
    if not breaker.open():
        try:
            return _count_on_redis(request, limit, window)
        except (RedisError, OSError) as exc:
            breaker.trip()
            logger.warning("rate_limits_without_redis", error=type(exc).__name__)
    if not limit.closed:
        return None
    counted = count_attempt(limit.name, limit.value, window)
    return Usage(limit.name, maximum, window, counted.count, counted.reset)


def _count_on_redis(request: HttpRequest, limit: Limit, window: int) -> Usage | None:
    group = f"api.{limit.name}"
    usage = get_usage(request, group=group, key=lambda *_: limit.value, rate=limit.rate, increment=True)
    if usage is None:
        return None
    return Usage(limit.name, usage["limit"], window, usage["count"], max(0, usage["time_left"]))


_PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_rate(rate: str) -> tuple[int, int]:
    """`600/m` -> 600 per 60 seconds; `5/10m` -> 5 per 600 seconds."""
    count, _, period = rate.partition("/")
    return int(count), int(period[:-1] or 1) * _PERIODS[period[-1]]
